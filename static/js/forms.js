// For members: the form of a key, tokens, and forms that tell how far they are. The list loads this with its first dialog.

const MOMENT = 200;
const each = (root, selector, act) => root.querySelectorAll(selector).forEach(act);
const byId = (id) => document.getElementById(id);
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
const opensElsewhere = (event) => event.ctrlKey || event.metaKey || event.shiftKey;

/* The sentence that says which key will be made */

// The server reads lifetimes in the same way (keys/upstream/durations.py).
const UNIT_SECONDS = { w: 604800, d: 86400, h: 3600, m: 60, s: 1 };
const UNIT_NAMES = { d: "day", h: "hour", m: "minute", s: "second" };
const LIFETIME_PART = /(\d{1,12}(?:\.\d{1,9})?|\.\d{1,9})\s*(weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[wdhms])\s*/y;
const SHORTEST = 60;
const LONGEST = 36500 * 86400;

/** The seconds of a lifetime as people write it; undefined when the server would not accept it. */
function secondsOf(text) {
  const plain = text.trim().replace(/[A-LN-Z]/g, (letter) => letter.toLowerCase());
  let seconds = 0;
  LIFETIME_PART.lastIndex = 0;
  for (let end = 0; end < plain.length; end = LIFETIME_PART.lastIndex) {
    const part = LIFETIME_PART.exec(plain);
    if (!part) return undefined;
    seconds += Number(part[1]) * UNIT_SECONDS[part[2][0]];
  }
  // A thousandth: 0.1 hours are 360 seconds, not 359.
  seconds = Math.floor(seconds + 0.001);
  return seconds >= SHORTEST && seconds <= LONGEST ? seconds : undefined;
}

function durationWords(seconds) {
  const parts = Object.entries(UNIT_NAMES).map(([unit, name]) => {
    const count = Math.floor(seconds / UNIT_SECONDS[unit]);
    seconds %= UNIT_SECONDS[unit];
    return count && `${count} ${name}${count === 1 ? "" : "s"}`;
  });
  return parts.filter(Boolean).join(" ");
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const serverNow = () => Date.now() + clockSkew;
const clockSkew = Number(document.querySelector('meta[name="server-time"]').dataset.skew);

/** A moment as the clock of a zone shows it: "2027-01-31 23:59". */
const onClock = (moment, timeZone) => new Intl.DateTimeFormat("sv", { timeZone, dateStyle: "short", timeStyle: "short" }).format(moment);

/** "CET": each language has short names for the zones of its own part of the world only. */
function zoneName(moment, timeZone) {
  const inLanguage = (language) => new Intl.DateTimeFormat(language, { timeZone, timeZoneName: "short" }).formatToParts(moment).find(({ type }) => type === "timeZoneName").value;
  const names = ["en-GB", "en-US", "en-AU", "en-IN"].map(inLanguage);
  return names.find((name) => !/[+-]/.test(name)) ?? names[0];
}

function dateWords(moment, zone) {
  const [, year, month, day, clock] = onClock(moment, zone).match(/(\d+)-(\d+)-(\d+) ([\d:]+)/);
  return `${Number(day)} ${MONTHS[month - 1]} ${year}, ${clock} ${zoneName(moment, zone)}`;
}

/** The last minute of a day in a zone; its offset is found by looking at the zone's clock twice. Where clocks are set back at
    midnight, that minute comes twice. */
function endOfDay(day, zone) {
  const wanted = Date.parse(`${day}T23:59Z`);
  const shown = (moment) => Date.parse(`${onClock(moment, zone).replace(" ", "T")}Z`);
  const near = wanted + wanted - shown(wanted);
  const end = near + wanted - shown(near);
  const anHourLater = end + UNIT_SECONDS.h * 1000;
  return shown(anHourLater) === wanted ? anHourLater : end;
}

function chosenSeconds(form, choice) {
  if (choice === "custom") return secondsOf(form.elements.custom_lifetime.value);
  if (choice !== "date") return secondsOf(choice);
  const day = form.elements.ends_on.value;
  const seconds = day && Math.floor((endOfDay(day, form.dataset.zone) - serverNow()) / 1000);
  return seconds >= SHORTEST && seconds <= LONGEST ? seconds : undefined;
}

function lifetimeWords(form) {
  const choice = form.querySelector("[name=lifetime]:checked")?.value;
  if (!choice) return "";
  if (choice === "never") return ", without expiry";
  const seconds = chosenSeconds(form, choice);
  if (!seconds) return choice === "date" ? ": choose its last day, today or later" : ": write its lifetime, for example 2w, 45d, 36h or 1h30m";
  if (choice !== "date") return `, valid for ${durationWords(seconds)}, until ${dateWords(serverNow() + seconds * 1000, form.dataset.zone)}`;
  const length = durationWords(seconds - seconds % (seconds > UNIT_SECONDS.d ? UNIT_SECONDS.h : UNIT_SECONDS.m));
  return `, valid for ${length}, until ${dateWords(endOfDay(form.elements.ends_on.value, form.dataset.zone), form.dataset.zone)}`;
}

function updateSummary(form) {
  if (form.elements.ends_on) form.elements.ends_on.disabled = form.elements.lifetime.value !== "date"; // half a date would keep the form from being sent
  const label = form.elements.label.value.trim();
  const name = label ? ` “${label}”` : "";
  const upload = form.elements.permission.value === "upload";
  form.querySelector("[data-summary-text]").textContent = `${upload ? "Upload-only key" : "Key"}${name}${upload ? "" : " with full access"}${lifetimeWords(form)}.`;
}

document.addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-summary]");
  if (form) updateSummary(form);
});

/* Masking: without scripts a token stays readable, so it is hidden from here. A field to type into is masked by the
   style sheet alone where that works: browsers offer to save what is sent from a password field. */

const masksByStyle = CSS.supports("-webkit-text-security", "disc");

function mask(field) {
  if (field.matches("input") && (field.readOnly || !masksByStyle)) field.type = "password";
  field.classList.remove("is-shown");
}

function reveal(field) {
  if (field.matches("input")) field.type = "text";
  field.classList.add("is-shown");
}

function toggle(button) {
  const field = document.querySelector(button.dataset.reveal);
  const shown = field.classList.contains("is-shown");
  if (shown) mask(field); else reveal(field);
  button.setAttribute("aria-pressed", String(!shown));
}

/* Copying */

function textOf(button) {
  const source = document.querySelector(button.dataset.copy);
  if ("value" in source) return source.value;
  const filled = source.cloneNode(true);
  if (button.dataset.fill) filled.querySelector("[data-token-place]").textContent = document.querySelector(button.dataset.fill).value;
  return filled.textContent;
}

function confirmCopied(button) {
  const before = button.dataset.before ?? button.textContent;
  button.dataset.before = before;
  button.textContent = button.dataset.copied;
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = setTimeout(() => { button.textContent = before; }, 4000);
}

function offerByHand(button) {
  const field = document.querySelector(button.dataset.fill || button.dataset.copy);
  const keys = /Mac|iP(hone|ad)/.test(navigator.userAgent) ? "⌘C" : "Ctrl+C";
  const selected = button.dataset.fill ? `Only the token is selected: press ${keys}, then put it into the text in place of EST…ARY.` : `The text is selected: press ${keys}.`;
  const advice = `Your browser does not let this page copy. ${selected}`;
  const fallback = "keepAsking" in button.dataset ? null : document.querySelector("[data-copy-fallback]"); // that of many tokens may be out of sight
  if (fallback) {
    fallback.textContent = advice;
    tell("say", advice);
  } else {
    tell("notice", { level: "warning", text: advice });
  }
  if ("select" in field) {
    reveal(field);
    field.focus();
    field.select();
  } else {
    getSelection().selectAllChildren(field);
  }
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(textOf(button));
    confirmCopied(button);
    if ("keepAsking" in button.dataset) tell("say", "Copied"); // one token of several
    else tokenCopied(button);
  } catch {
    offerByHand(button);
  }
}

/** Something was copied. Where it was a token: the guard and all that says "not copied" go. */
function tokenCopied(element) {
  tell("say", "Copied");
  const panel = element.closest("[data-uncopied]");
  if (!panel) return;
  panel.removeAttribute("data-uncopied");
  panel.classList.add("is-copied");
  each(panel, "[data-copy-fallback]", (place) => { place.textContent = ""; });
  each(document, "[data-guard]", (warning) => warning.remove());
}

/* Leaving what would be lost, a token that was not copied or what was typed: ask each time. The browser asks on a page. In
   the dialog a warning asks: to close while it is shown is the answer, to dismiss it arms the guard again. */

const UNCOPIED = "You have not copied the token, and it will not be shown again.";
const UNSENT = "What you typed is not saved.";

const uncopied = () => document.querySelector("[data-uncopied]:not([data-leaving])");

/** Whether a form has something typed or chosen, now or in what the server sent back with errors. */
const isFilledIn = (form) => Boolean(form.querySelector("[role=alert]"))
  || [...form.elements].some((field) => field.type !== "hidden" && !field.matches("[data-secret]") && (field.value !== field.defaultValue || field.checked !== field.defaultChecked) && field.matches("input, textarea"));

const unsent = (root, forms = "form") => [...root.querySelectorAll(forms)].find((form) => !form.dataset.sent && isFilledIn(form));

let isSentAway = false; // by the server's answer to a form, which keeps what was typed

document.addEventListener("htmx:beforeOnLoad", ({ detail }) => {
  const leadsTo = detail.xhr.getResponseHeader("HX-Redirect");
  isSentAway = Boolean(leadsTo) && !leadsTo.startsWith(document.body.dataset.signIn);
});

window.addEventListener("beforeunload", (event) => {
  if (uncopied() || (!isSentAway && unsent(document, "form[data-guarded]"))) event.preventDefault();
});

document.addEventListener("leave", (event) => {
  const text = uncopied() ? UNCOPIED : unsent(byId("dialog-body")) && UNSENT;
  if (!text || document.querySelector("[data-guard]")) return;
  event.preventDefault();
  tell("notice", { level: "warning", isGuard: true, text, link: { href: "#", textContent: "Leave without it" } });
});

/* Wiring */

document.addEventListener("click", (event) => {
  const revealer = event.target.closest("[data-reveal]");
  const copier = event.target.closest("[data-copy]");
  const panel = event.target.closest("[data-saved]")?.closest("[data-uncopied]");
  if (revealer) toggle(revealer);
  if (copier) copy(copier);
  if (panel && !opensElsewhere(event)) panel.dataset.leaving = "";
});

document.addEventListener("copy", (event) => {
  if (event.target.matches?.("[data-wipe]")) tokenCopied(event.target);
});

/* A page that is left loses its tokens. WebKit restores a field's value from its attribute, so that goes too. */

function wipe() {
  each(document, "[data-secret]", (place) => {
    place.removeAttribute("value");
    if ("value" in place) place.value = ""; else place.replaceChildren();
  });
}

window.addEventListener("pagehide", wipe);

/* Forms that take a while */

/* What Estuary has answered so far, for forms that take several calls: asked of the server by a name that goes with the form. */

const ASK_AGAIN = 500;

async function tellSteps(form) {
  const name = crypto.getRandomValues(new Uint32Array(4)).join("-").slice(0, 40);
  const place = form.querySelector("[data-step]");
  form.elements.steps.value = name;
  let told = "";
  const FURTHEST_FIRST = ["create", "revoke", "list"]; // the list is read before and after
  for (let key = "step"; form.dataset.sent; ) {
    await new Promise((done) => { setTimeout(done, told ? ASK_AGAIN : MOMENT); });
    if (!form.dataset.sent) break;
    const words = place.dataset[key] ?? told;
    if (told && words !== told) tell("say", words); // at first, "Please wait." is said
    place.textContent = told = words;
    const answer = await fetch(`${form.dataset.steps}${name}/`).catch(() => null);
    const answered = answer?.ok && !answer.redirected ? (await answer.text()).split(" ") : [];
    const furthest = FURTHEST_FIRST.find((endpoint) => answered.includes(endpoint));
    if (furthest) key = `step${furthest[0].toUpperCase()}${furthest.slice(1)}`;
  }
  place.textContent = "";
}

// A download leaves the page in place. A cookie with this form's mark says that it began. Waiting also
// ends when the browser gives up (the Stop button) and at a time limit: the server gives up then, too.
const LOOK = 500;

function awaitDownload(form) {
  const mark = Math.random().toString(36).slice(2);
  form.elements.mark.value = mark;
  each(form, "[data-begun], [data-gave-up]", (note) => { note.hidden = true; });
  let limit = performance.now() + Number(form.dataset.limit) * 1000;
  const end = (note, text) => {
    clearInterval(watch);
    form.dispatchEvent(new CustomEvent("answered", { bubbles: true }));
    each(form, note, (place) => { place.hidden = false; });
    tell("say", text);
  };
  const watch = setInterval(() => {
    if (document.cookie.split("; ").includes(`download=${mark}`)) {
      end("[data-begun]", "The download has started.");
      showRunningExport();
    }
    else if (performance.now() > limit) end("[data-gave-up]", "No download started. Try again.");
  }, LOOK);
  // A navigation that becomes a download is aborted too; its cookie arrives a moment later.
  const abort = () => { limit = Math.min(limit, performance.now() + 2 * LOOK); };
  window.navigation?.addEventListener("navigate", ({ signal }) => signal.addEventListener("abort", abort), { once: true });
}

/** Show the export that runs now; that part then asks for itself until the export has ended. */
function showRunningExport() {
  const source = byId("own-export");
  if (source) window.htmx?.ajax("GET", location.pathname, { source, target: source, swap: "outerHTML" });
}

document.addEventListener("sending", ({ target }) => {
  if (target.dataset.steps) tellSteps(target);
  if (target.dataset.once === "download") awaitDownload(target);
});

/* Start, and again for each part that htmx brings */

function prepare(root) {
  each(root, "[data-secret]", mask);
  each(root, "form[data-summary]", updateSummary);
  if (root.matches?.("form[data-summary]")) updateSummary(root);
}

prepare(document);
document.addEventListener("htmx:load", ({ detail }) => prepare(detail.elt));
