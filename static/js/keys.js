// For members: lists that change in place, notices about failed requests, the form of a key, and tokens.

const each = (root, selector, act) => root.querySelectorAll(selector).forEach(act);
const byId = (id) => document.getElementById(id);
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

/* Swapping */

// With Ctrl, ⌘ or Shift a link opens in another tab or window, as usual.
const opensElsewhere = (event) => event.ctrlKey || event.metaKey || event.shiftKey;

document.addEventListener("click", (event) => {
  if (opensElsewhere(event) && event.target.closest("a[data-hx-get]")) event.stopPropagation();
}, true);

// One listener for all links into the dialog: `data-hx-get` on forty rows makes htmx block the page.
document.addEventListener("click", (event) => {
  const source = event.target.closest("a[data-dialog]");
  if (!source || opensElsewhere(event)) return;
  event.preventDefault();
  if (source.matches(".htmx-request")) return; // a second answer would delete what has been typed since
  htmx.ajax("GET", source.href, { source, target: "#dialog-body", swap: "innerHTML" });
});

document.addEventListener("htmx:configRequest", ({ detail }) => {
  detail.headers.Accept = "text/html, application/json";
  detail.headers["X-Requested-With"] = "XMLHttpRequest";
});

document.addEventListener("htmx:beforeHistoryUpdate", ({ detail }) => {
  // One typed search is one entry in the browser's history, not one per pause; repeating the same request adds none. Empty
  // parameters stay out of the address.
  const { history, requestConfig } = detail;
  const address = new URL(history.path, location.href);
  if (requestConfig.elt.id === "key-search" && new URLSearchParams(location.search).get("q")) history.type = "replace";
  if (!address.searchParams.get("q")) address.searchParams.delete("q");
  address.searchParams.delete("fresh");
  history.path = address.pathname + address.search;
  if (address.href === location.href) history.type = "replace";
});

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  // htmx cleans up each element that it removes; for forty rows without htmx attributes that blocks the page.
  if (detail.shouldSwap && detail.target.id === "key-list") detail.target.querySelector("tbody")?.replaceChildren();
  // A new part ends the notices about earlier failures.
  if (detail.shouldSwap && detail.target.id !== "notices") each(document, "[data-trouble], #dialog-notices > *", (notice) => notice.remove());
  // Show notices inside an open dialog: it covers those of the page.
  if (detail.target.id === "notices" && byId("dialog").open) detail.target = byId("dialog-notices");
});

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id === "notices") detail.target.scrollIntoView({ block: "nearest" });
});

document.addEventListener("htmx:afterSettle", (event) => {
  const news = event.target.querySelector?.("[data-announce]");
  if (news) tell("say", news.textContent.trim().replace(/\s+/g, " "));
  // When the focused link is not in the new part ("Next" on the last page), focus the part itself.
  if (document.activeElement === document.body && event.target.id === "key-list") event.target.focus({ preventScroll: true });
});

/* Trouble on the way: told in place, what was typed is kept, one click to go on */

const keptText = "What you typed is still here.";
const isChange = (detail) => detail.requestConfig.verb !== "get";
const again = (detail) => isChange(detail) ? undefined : { href: detail.pathInfo.finalRequestPath, textContent: "Try again" };
const kept = (detail) => isChange(detail) ? ` ${keptText}` : "";

function trouble(text, link) {
  noteEnds();
  return tell("notice", { level: "error", text, link, isTrouble: true });
}

const slowRequests = new Map();
const SLOW = 4000;

document.addEventListener("htmx:beforeSend", ({ detail }) => {
  slowRequests.set(detail.xhr, setTimeout(() => {
    tell("notice", { level: "info", text: "Estuary is slow to answer. We go on waiting.", isPassing: true });
  }, SLOW));
});

function noteEnds() { each(document, "[data-passing]", (notice) => notice.remove()); }

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  clearTimeout(slowRequests.get(detail.xhr));
  slowRequests.delete(detail.xhr);
  if (!slowRequests.size) noteEnds();
});

let isSessionOver = false;

function sessionEnded(detail) {
  isSessionOver = true;
  const wanted = detail.target.id === "key-list" ? detail.pathInfo.finalRequestPath : location.pathname + location.search;
  const back = isChange(detail) || byId("dialog").open ? "" : `?next=${encodeURIComponent(wanted)}`;
  const link = { href: document.body.dataset.signIn + back, textContent: "Sign in again" };
  if (!back) Object.assign(link, { target: "_blank", textContent: "Sign in again in a new tab" });
  trouble(`Your session has ended.${back ? "" : ` ${keptText} Come back to it when you have signed in.`}`, link);
}

async function pageAt(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (answer.redirected || !answer.ok) return undefined;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** Give this page the form tokens of the present session; false when there is no session. */
async function renew() {
  const page = await pageAt(location.href);
  if (!page) return false;
  document.body.setAttribute("data-hx-headers", page.body.getAttribute("data-hx-headers"));
  const token = page.querySelector("[name=csrfmiddlewaretoken]").value;
  each(document, "[name=csrfmiddlewaretoken]", (field) => { field.value = token; });
  const nonce = document.querySelector("[name=nonce]"); // it is bound to the session as well
  if (nonce) nonce.value = (await pageAt(nonce.form.action))?.querySelector("[name=nonce]").value ?? "";
  isSessionOver = false;
  return true;
}

document.addEventListener("visibilitychange", async () => {
  if (document.hidden || !isSessionOver || !await renew()) return;
  tell("notice", { level: "success", text: `You are signed in again. ${keptText} Send it now.` });
});

document.addEventListener("htmx:beforeOnLoad", (event) => {
  const leadsTo = event.detail.xhr.getResponseHeader("HX-Redirect");
  if (!leadsTo?.startsWith(document.body.dataset.signIn)) return;
  event.preventDefault();
  sessionEnded(event.detail);
});

document.addEventListener("htmx:responseError", async ({ detail }) => {
  const status = detail.xhr.status;
  if (status === 429) trouble(`Too many requests. Wait a minute before you try again.${kept(detail)}`, again(detail));
  else if (status !== 403) trouble(`This console could not answer. What you see may be out of date.${kept(detail)}`, again(detail));
  else if (await renew()) trouble("This page was older than your session, so nothing was sent. It is up to date now: send it again.");
  else sessionEnded(detail);
});

document.addEventListener("htmx:sendError", ({ detail }) => {
  const next = isChange(detail) ? ` Check your connection and send it again: nothing is done twice.${kept(detail)}` : " Check your connection.";
  trouble(`This console cannot be reached.${next}`, again(detail));
});

document.addEventListener("htmx:timeout", ({ detail }) => {
  trouble(`No answer came in time.${isChange(detail) ? " Look at your keys before you try again." : ""}`, again(detail));
});

/* The sentence that says which key will be made */

const LENGTHS = { w: "week", d: "day", h: "hour", m: "minute", s: "second" };

function lifetimeWords(form) {
  const chosen = form.querySelector("[name=lifetime]:checked");
  if (!chosen) return "";
  if (chosen.value === "never") return ", never expires";
  if (chosen.value !== "custom") return `, valid for ${chosen.closest("label").textContent.trim()}`;
  const text = form.elements.custom_lifetime.value.trim();
  if (!/^(\d+\s*[wdhms]\s*)+$/.test(text)) return ", valid for a lifetime of your choice";
  const parts = [...text.matchAll(/(\d+)\s*([wdhms])/g)];
  return `, valid for ${parts.map(([, count, unit]) => `${Number(count)} ${LENGTHS[unit]}${Number(count) === 1 ? "" : "s"}`).join(" ")}`;
}

function updateSummary(form) {
  const label = form.elements.label.value.trim();
  const name = label ? ` “${label}”` : "";
  const upload = form.elements.permission.value === "upload";
  form.querySelector("[data-summary-text]").textContent = `${upload ? "Upload-only key" : "Key"}${name}${upload ? "" : " for everything"}${lifetimeWords(form)}.`;
}

document.addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-summary]");
  if (form) updateSummary(form);
});

/* Searching by a token: it never becomes part of an address. The whole one is replaced by its fingerprint, a piece of one
   waits for the rest. */

// The middle of every token is in lower case; a label in capitals is not a token.
const TOKEN = /EST([0-9a-z_-]{8,}|[0-9A-F-]{36})ARY/;
const PIECE_OF_TOKEN = /EST[0-9a-f]{8}(-|$)/i;
// Pasted text may contain invisible characters; remove them so that a token is recognised.
const visible = (text) => text.replace(/\p{Default_Ignorable_Code_Point}|\p{Cf}/gu, "");
const isToken = (text) => TOKEN.test(visible(text));
const isSecret = (text) => isToken(text) || PIECE_OF_TOKEN.test(visible(text));

async function fingerprint(token) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
  return btoa(String.fromCharCode(...digest)).slice(0, 8).replaceAll("+", "-").replaceAll("/", "_");
}

async function searchByFingerprint(field) {
  const [token] = visible(field.value).match(TOKEN);
  field.value = "";
  field.value = await fingerprint(token);
  tell("notice", { level: "info", text: "That was a whole token. It was not sent: the list is searched for its fingerprint." });
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "key-q" || !isSecret(event.target.value)) return;
  event.stopImmediatePropagation();
  if (isToken(event.target.value)) searchByFingerprint(event.target);
  else tell("say", "This looks like a token. The search waits until it is whole, and sends only its fingerprint.");
}, true);

document.addEventListener("submit", (event) => {
  if (event.target.id !== "key-search" || !isSecret(byId("key-q").value)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.id === "key-search" && isSecret(event.detail.parameters.q)) event.preventDefault();
});

const PLACEHOLDER = "EST…ARY";

/* Masking: without scripts a token stays readable, so it is hidden from here. A field to type into is masked by the
   style sheet alone where that works: browsers offer to save what is sent from a password field. */

const masksByStyle = CSS.supports("-webkit-text-security", "disc");

function mask(field) {
  if (field.readOnly || !masksByStyle) field.type = "password";
  field.classList.remove("is-shown");
}

function reveal(field) {
  field.type = "text";
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
  const text = "value" in source ? source.value : source.textContent;
  const token = button.dataset.fill && document.querySelector(button.dataset.fill).value;
  return token ? text.replace(PLACEHOLDER, token) : text;
}

function confirmCopied(button) {
  const before = button.dataset.before ?? button.textContent;
  button.dataset.before = before;
  button.textContent = button.dataset.copied;
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = setTimeout(() => { button.textContent = before; }, 4000);
  tell("say", "Copied");
}

function offerByHand(button) {
  const field = document.querySelector(button.dataset.fill || button.dataset.copy);
  const keys = /Mac|iP(hone|ad)/.test(navigator.userAgent) ? "⌘C" : "Ctrl+C";
  const advice = `Your browser does not let this page copy. The text is selected: press ${keys}.`;
  const fallback = document.querySelector("[data-copy-fallback]");
  if (fallback) fallback.textContent = advice;
  if ("select" in field) {
    reveal(field);
    field.focus();
    field.select();
  } else {
    getSelection().selectAllChildren(field);
  }
  tell("say", advice);
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(textOf(button));
    confirmCopied(button);
    disarm(button);
  } catch {
    offerByHand(button);
  }
}

/* Leaving without the token: ask once. */

const uncopied = () => document.querySelector("[data-uncopied]");

function disarm(element) {
  element.closest("[data-uncopied]")?.removeAttribute("data-uncopied");
}

window.addEventListener("beforeunload", (event) => {
  const panel = uncopied();
  if (!panel) return;
  event.preventDefault();
  disarm(panel);
});

document.addEventListener("leave", (event) => {
  const panel = uncopied();
  if (!panel) return;
  event.preventDefault();
  disarm(panel);
  tell("notice", { level: "warning", text: "You have not copied the token, and it will not be shown again. Close once more to leave without it." });
});

/* Wiring */

document.addEventListener("click", (event) => {
  const revealer = event.target.closest("[data-reveal]");
  const copier = event.target.closest("[data-copy]");
  const saved = event.target.closest("[data-saved]");
  if (revealer) toggle(revealer);
  if (copier) copy(copier);
  if (saved) disarm(saved);
});

document.addEventListener("copy", (event) => {
  if (event.target.matches?.("[data-wipe]")) {
    disarm(event.target);
    tell("say", "Copied");
  }
});

window.addEventListener("pageshow", (event) => {
  // A page restored from the back-forward cache must not show the token again.
  if (!event.persisted) return;
  each(document, "[data-secret]", (field) => { field.value = ""; mask(field); });
});

/* Filters: on a narrow screen they scroll sideways; bring the chosen one into view without moving the page. */

function showChosenChip(root) {
  each(root, ".chip[aria-current]", (chip) => { chip.closest("ul").scrollLeft = chip.offsetLeft - 64; });
}

/* Start, and again for each part that htmx brings */

function prepare(root) {
  each(root, "[data-secret]", mask);
  each(root, "form[data-summary]", updateSummary);
  if (root.matches?.("form[data-summary]")) updateSummary(root);
  showChosenChip(root);
}

prepare(document);
document.addEventListener("htmx:load", ({ detail }) => prepare(detail.elt));
