// Enhancements of every page, attached by data attributes. Every page also works without them. Forms and tokens are in
// forms.js. One file, since each costs a request.

const each = (root, selector, act) => root.querySelectorAll(selector).forEach(act);
const byId = (id) => document.getElementById(id);
const dialogOpen = () => byId("dialog")?.open;
const isMember = "signIn" in document.body.dataset;

/* Speaking: one hidden live region, or the one in the dialog, since what lies behind a dialog is silent. Other
   scripts dispatch "say" and "notice" events, so that none imports another. */

const SAID = 5000;

function say(text) {
  const spoken = byId(dialogOpen() ? "dialog-spoken" : "spoken");
  if (!spoken) return;
  spoken.textContent = "";
  setTimeout(() => { spoken.textContent = text; }, 50);
  // Remove the text after it was announced: screen readers would find "Please wait." again.
  setTimeout(() => { if (spoken.textContent === text) spoken.textContent = ""; }, SAID);
}

document.addEventListener("say", (event) => say(event.detail));

/* Notices: at the top of the content, or of the dialog. Those that come later lie over what is there: nothing moves. */

const noticesPlace = () => byId(dialogOpen() ? "dialog-notices" : "notices");

function showNotice({ level, text, link, isPassing, isTrouble, isGuard }) {
  const notice = byId("notice-template").content.firstElementChild.cloneNode(true);
  notice.classList.add(level);
  if (level === "info") notice.querySelector("use").setAttribute("href", "#icon-info");
  notice.setAttribute("role", level === "error" ? "alert" : "status");
  const place = notice.querySelector("[data-notice-text]");
  place.textContent = text;
  if (link) place.append(" ", Object.assign(document.createElement("a"), link));
  if (isGuard) place.lastElementChild.dataset.dialogClose = ""; // the notice may cover the dialog's own button
  if (isPassing) notice.dataset.passing = "";
  if (isTrouble) notice.dataset.trouble = "";
  if (isGuard) notice.dataset.guard = "";
  noticesPlace().replaceChildren(notice);
  noticesPlace().classList.add("is-late");
  notice.scrollIntoView({ block: "nearest" });
}

document.addEventListener("notice", ({ detail }) => showNotice(detail));

function dismiss(button) {
  const isInDialog = button.closest("dialog");
  button.closest(".notice").remove();
  (isInDialog ? byId("dialog-title") : byId("main")).focus();
}

/* Moments: the same words and rounding as the "moment" template tag, by the server's clock. */

const serverTime = document.querySelector('meta[name="server-time"]');
const clockSkew = serverTime ? Number(serverTime.content) * 1000 - Date.now() : 0;
if (serverTime) serverTime.dataset.skew = clockSkew; // for forms.js, which may be loaded much later
const UNITS = [["year", 31557600, 63115200], ["month", 2629800, 5184000], ["day", 86400, 172800], ["hour", 3600, 3600], ["minute", 60, 60], ["second", 1, 2]];

function relativeText(moment, now, toTheSecond) {
  const seconds = (moment - now) / 1000;
  const distance = Math.abs(seconds);
  const [unit, size] = UNITS.find(([name, , from]) => distance >= from && (toTheSecond || name !== "second")) || [];
  if (!unit) return seconds > 0 ? "in less than a minute" : "just now";
  const count = Math.round(distance / size);
  const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return seconds > 0 ? `in ${words}` : `${words} ago`;
}

function refreshMoments() {
  if (document.hidden) return;
  const serverNow = Date.now() + clockSkew;
  each(document, "time[data-relative]", (time) => {
    const moment = new Date(time.dateTime);
    // Keys expire by the node's clock; what has happened ("past", "seconds") has no negative age.
    const now = serverNow + Number(time.dataset.ahead ?? 0) * 1000;
    const reached = time.dataset.relative ? Math.max(now, moment) : now;
    const text = relativeText(moment, reached, time.dataset.relative === "seconds");
    if (time.textContent !== text) time.textContent = text;
    const end = time.closest("[data-expires]");
    if (moment <= now && end) expire(end);
  });
}

function expire(place) {
  delete place.dataset.expires;
  place.className = "key-end is-expired";
}

/* Forms that may be sent only once. The button that was pressed shows after a moment that it waits (console.css). No button
   is disabled: that would lose the focus. */

const MOMENT = 200;

function waitOn(form, pressed) {
  form.dataset.sent = "true";
  each(form, "[type=submit]", (button) => button.setAttribute("aria-disabled", "true"));
  pressed?.classList.add("is-waiting");
  setTimeout(() => {
    if (!form.dataset.sent) return;
    each(form, "[data-wait]", (note) => { note.hidden = false; });
    say("Please wait.");
  }, MOMENT);
}

function stopWaiting(form) {
  if (!form.dataset.sent) return;
  delete form.dataset.sent;
  each(form, "[data-wait]", (note) => { note.hidden = true; });
  each(form, "[type=submit]", (button) => {
    button.classList.remove("is-waiting");
    button.removeAttribute("aria-disabled");
  });
}

/** The browser's Stop gives the form back; browsers without the Navigation API do not tell of it. */
function watchForStop(form) {
  const stopped = () => {
    if (!form.dataset.sent) return;
    stopWaiting(form);
    showNotice({ level: "warning", text: "Your browser stopped waiting. What you sent may be done all the same: look before you send it again." });
  };
  window.navigation?.addEventListener("navigate", ({ signal }) => signal.addEventListener("abort", stopped), { once: true });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-once]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    event.stopImmediatePropagation();
  } else {
    waitOn(form, event.submitter);
    // A download tells this by itself (forms.js), and htmx does not navigate.
    if (!form.dataset.once && !(window.htmx && form.dataset.hxPost)) watchForStop(form);
    form.dispatchEvent(new CustomEvent("sending", { bubbles: true }));
  }
}, true);

document.addEventListener("answered", ({ target }) => stopWaiting(target));

window.addEventListener("pageshow", (event) => {
  if (event.persisted) each(document, "form[data-once]", stopWaiting);
});

/* Passwords: hidden again before they are sent, so that the browser takes them for passwords */

function showPassword(button, isShown) {
  document.querySelector(button.dataset.showPassword).type = isShown ? "text" : "password";
  button.setAttribute("aria-pressed", String(isShown));
}

document.addEventListener("submit", ({ target }) => {
  each(target, "[data-show-password]", (button) => showPassword(button, false));
}, true);

/* Lists to filter, menus */

document.addEventListener("input", ({ target }) => {
  if (!target.matches("[data-filter]")) return;
  const wanted = target.value.trim().toLowerCase();
  each(document.querySelector(target.dataset.filter), "[data-filter-text]", (item) => {
    item.hidden = !item.dataset.filterText.includes(wanted);
  });
});

document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-show-shortcuts]")) showShortcuts();
  const shower = target.closest("[data-show-password]");
  if (shower) showPassword(shower, shower.getAttribute("aria-pressed") !== "true");
  const dismisser = target.closest("[data-dismiss]");
  if (dismisser) dismiss(dismisser);
  each(document, "details[data-menu][open]", (menu) => { if (!menu.contains(target)) menu.open = false; });
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || dialogOpen()) return;
  const menu = document.querySelector("details[data-menu][open]");
  if (!menu) return document.querySelector("#notices.is-late > .notice")?.remove(); // it may cover what has the focus
  menu.open = false;
  menu.querySelector("summary").focus();
});

/* Dialog, for members: the same parts as on pages of their own. Escape, a click beside it, Close and Cancel follow one
   rule: what is in it may object to being left ("leave" events). */

const dialog = byId("dialog");
const dialogBody = byId("dialog-body");

function openDialog(title) {
  byId("dialog-title").textContent = title;
  if (!dialog.open) dialog.showModal();
  (dialogBody.querySelector("input[type=text]") || byId("dialog-title")).focus();
}

const mayLeave = () => dialogBody.dispatchEvent(new CustomEvent("leave", { bubbles: true, cancelable: true }));

function leaveDialog() {
  if (mayLeave()) dialog.close();
}

// Not by "cancel" alone: Chromium sends none for a second Escape without another key or click between.
dialog?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing) return;
  event.preventDefault();
  leaveDialog();
});

dialog?.addEventListener("cancel", (event) => { if (!mayLeave()) event.preventDefault(); });

dialog?.addEventListener("close", () => {
  const next = dialogBody.querySelector("[data-saved]");
  dialogBody.replaceChildren();
  byId("dialog-notices").replaceChildren();
  if (next) location.assign(next.href);
});

// A click on the backdrop keeps the focus where it is.
dialog?.addEventListener("mousedown", (event) => { if (event.target === dialog) event.preventDefault(); });

dialog?.addEventListener("click", (event) => {
  const closer = event.target.closest("[data-dialog-close]");
  if (closer) event.preventDefault();
  const isBeside = event.target === dialog && event.detail < 2; // not the second click of a double click on the opener
  if (closer || isBeside) leaveDialog();
});

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const title = detail.requestConfig?.elt.dataset.dialog;
  if (title && detail.target === dialogBody) openDialog(title);
  const shown = dialogBody?.querySelector("[data-title]");
  if (shown) byId("dialog-title").textContent = shown.dataset.title;
});

/* Keyboard shortcuts, for members who have not switched them off */

// Here and not in the page, which is not cached.
const HELP = [
  ["/", "Search your keys"], ["n", "Make a new key"], ["f", "Find whose key a token is"], ["[ ]", "Previous or next page"],
  ["j k", "Next or previous key"], ["Enter", "Open the key"], ["r", "Revoke the key"], ["?", "Show this list"], ["Esc", "Close a dialog or a menu"],
];

const element = (name, ...content) => {
  const made = document.createElement(name);
  made.append(...content);
  return made;
};

function helpRow([keys, words]) {
  const names = keys.split(" ").flatMap((name) => [" ", element("kbd", name)]).slice(1);
  return element("div", element("dt", ...names), element("dd", words));
}

function showShortcuts() {
  if (dialog.open) return;
  dialogBody.replaceChildren(byId("shortcuts-template").content.cloneNode(true));
  dialogBody.querySelector("dl").append(...HELP.map(helpRow));
  openDialog("Keyboard shortcuts");
}

function focusKey(step) {
  const labels = [...document.querySelectorAll(".keys .key-label")];
  const at = labels.indexOf(document.activeElement.closest(".keys tr")?.querySelector(".key-label"));
  labels.at(at < 0 ? 0 : Math.min(Math.max(at + step, 0), labels.length - 1))?.focus();
}

const SHORTCUTS = {
  "/": () => { if (byId("key-q")) byId("key-q").select(); else location.assign(byId("nav-keys").href); },
  n: () => { if (byId("new-key")) byId("new-key").click(); else location.assign(`${byId("nav-keys").href}new/`); },
  f: () => location.assign(byId("nav-find").href),
  "[": () => document.querySelector(".pages [rel=prev]")?.click(),
  "]": () => document.querySelector(".pages [rel=next]")?.click(),
  j: () => focusKey(1),
  k: () => focusKey(-1),
  r: () => document.activeElement.closest(".keys tr")?.querySelector("[data-dialog='Revoke key']")?.click(),
  "?": showShortcuts,
};

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select");
  const isBracket = event.altKey && "[]".includes(event.key); // typed with Option or AltGr on many keyboards
  const isCommand = event.metaKey || event.isComposing || ((event.ctrlKey || event.altKey) && !isBracket);
  if (isTyping || isCommand || dialog?.open || !("shortcuts" in document.documentElement.dataset)) return;
  if (!Object.hasOwn(SHORTCUTS, event.key)) return;
  event.preventDefault();
  SHORTCUTS[event.key]();
});

/* Time zone: tell the server which one this browser is in */

function rememberTimeZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = document.cookie.split("; ").includes(`timezone=${zone}`);
  if (!zone || known) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `timezone=${zone}; Path=${document.body.dataset.home}; Max-Age=31536000; SameSite=Lax${secure}`;
}

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
  openInDialog(source);
});

let formsLoading = byId("forms-script") ? undefined : Promise.resolve();

/** The list loads forms.js with its first dialog: most visits need no form. */
function loadForms() {
  formsLoading ??= new Promise((done, failed) => {
    const script = byId("forms-script").content.firstElementChild.cloneNode();
    script.addEventListener("load", done);
    script.addEventListener("error", () => { formsLoading = undefined; failed(); });
    document.head.append(script);
  });
  return formsLoading;
}

let isOpening = false;

async function openInDialog(source) {
  if (isOpening) return;
  isOpening = true;
  try {
    await loadForms();
    htmx.ajax("GET", source.href, { source, target: "#dialog-body", swap: "innerHTML" });
  } catch {
    trouble("This console cannot be reached. Check your connection.", { href: source.href, textContent: "Try again" });
  } finally {
    isOpening = false;
  }
}

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

let hadFocus = false; // whether the focus was in the part that is replaced

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  hadFocus = detail.target.contains(document.activeElement);
  // htmx cleans up each element that it removes; for forty rows without htmx attributes that blocks the page.
  if (detail.shouldSwap && detail.target.id === "key-list") each(detail.target, "tbody", (rows) => rows.replaceChildren());
  // A new part ends the notices about earlier failures.
  if (detail.shouldSwap && detail.target.id !== "notices") each(document, "[data-trouble], #dialog-notices > *", (notice) => notice.remove());
  // Show notices inside an open dialog: it covers those of the page.
  if (detail.target.id !== "notices") return;
  if (byId("dialog").open) detail.target = byId("dialog-notices");
  detail.target.classList.add("is-late");
});

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id === "notices") detail.target.scrollIntoView({ block: "nearest" });
});

document.addEventListener("htmx:afterSettle", (event) => {
  const news = event.target.querySelector?.("[data-announce]");
  if (news) say(news.textContent.trim().replace(/\s+/g, " "));
  // When what had the focus is not in the new part ("Next" on the last page, "Cancel" at the end), focus the part itself.
  if (document.activeElement !== document.body || !(hadFocus || event.target.id === "key-list")) return;
  event.target.tabIndex = -1;
  event.target.focus({ preventScroll: true });
});

/* Patching: the check of a page that is shown at once brings the whole page. What is equal stays, with its focus, scroll
   position and selection; only what differs is replaced. */

const isSameKind = (one, other) => one?.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");

function patchAttributes(shown, fresh) {
  for (const { name } of [...shown.attributes]) if (!fresh.hasAttribute(name) && name !== "open") shown.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
}

function patchChildren(shown, fresh) {
  const named = new Map([...shown.children].filter((child) => child.id).map((child) => [child.id, child]));
  const stays = (node) => node.id && fresh.querySelector(`:scope > #${CSS.escape(node.id)}`);
  let place = shown.firstChild;
  const dropUntil = (isReached) => {
    while (place && !isReached(place)) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  };
  for (const next of [...fresh.childNodes]) {
    const match = named.get(next.id);
    if (match) dropUntil((node) => node === match || stays(node));
    else if (!isSameKind(place, next)) dropUntil((node) => !node.id || stays(node));
    const found = match ?? (isSameKind(place, next) ? place : undefined);
    if (found === place && found) place = place.nextSibling;
    else shown.insertBefore(found ?? next, place);
    if (found) patch(found, next);
  }
  dropUntil(() => false);
}

function patch(shown, fresh) {
  if (shown.isEqualNode(fresh) || shown.matches?.("#spoken, [data-unpatched]")) return;
  if (!isSameKind(shown, fresh)) shown.replaceWith(fresh);
  else if (shown.id === "notices") shown.append(...fresh.children);
  else if (shown.nodeType !== Node.ELEMENT_NODE) shown.nodeValue = fresh.nodeValue;
  else {
    patchAttributes(shown, fresh);
    patchChildren(shown, fresh);
  }
}

const wordsOf = (element) => element.textContent.trim().replace(/\s+/g, " ");

/** The notices that a check brings lie over the page, as all do that come late: nothing below them moves. */
function takeLateNotices(shown, fresh) {
  const place = byId("notices");
  if (place.children.length && !place.matches(".is-late")) return; // those of the page keep their place
  const known = [...shown.querySelectorAll(".notice")].map(wordsOf);
  for (const notice of fresh.querySelectorAll("#main > :not(#notices) .notice, #main > .notice")) {
    if (notice.id) continue; // the content of a page about trouble
    if (known.includes(wordsOf(notice))) continue;
    notice.append(byId("notice-template").content.querySelector("[data-dismiss]").cloneNode(true));
    if (!notice.matches(".error")) notice.dataset.trouble = ""; // news about a key stay until they are dismissed
    place.append(notice);
    place.classList.add("is-late");
  }
}

window.htmx?.defineExtension("patch", {
  isInlineSwap: (style) => style === "patch",
  handleSwap(style, target, fragment) {
    if (style !== "patch") return false;
    const focused = document.activeElement;
    takeLateNotices(target, fragment.firstElementChild);
    patch(target, fragment.firstElementChild);
    if (focused !== document.activeElement) (focused.isConnected ? focused : target).focus({ preventScroll: true });
    return [target];
  },
});

const isCheck = ({ requestConfig }) => requestConfig.elt.id === "freshness";

// The list may have been replaced meanwhile, by another page or filter: the answer is about the former one.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (isCheck(detail) && !detail.requestConfig.elt.isConnected) detail.shouldSwap = false;
});

// Whatever came of it: nothing is being checked any more.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (isCheck(detail)) each(detail.requestConfig.elt, "[data-checking]", (mark) => mark.remove());
});

/* Trouble on the way: told in place, what was typed is kept, one click to go on */

const keptText = "What you typed is still here.";
const isChange = (detail) => detail.requestConfig.verb !== "get";
const again = (detail) => isChange(detail) ? undefined : { href: detail.pathInfo.finalRequestPath, textContent: "Try again" };
const kept = (detail) => isChange(detail) ? ` ${keptText}` : "";

function trouble(text, link) {
  noteEnds();
  const told = byId(byId("dialog").open ? "dialog-notices" : "notices").querySelector("[data-trouble] [data-notice-text]");
  // Not again: a part that asks every two seconds would have it read aloud each time.
  if (told?.textContent.startsWith(text) && told.querySelector("a")?.getAttribute("href") === link?.href) return;
  showNotice({ level: "error", text, link, isTrouble: true });
}

const slowRequests = new Map();
const SLOW = 4000;

document.addEventListener("htmx:beforeSend", ({ detail }) => {
  if (isCheck(detail)) return; // its page says so itself
  slowRequests.set(detail.xhr, setTimeout(() => {
    showNotice({ level: "info", text: "Estuary is slow to answer. We are still waiting.", isPassing: true });
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
  showNotice({ level: "success", text: `You are signed in again. ${keptText} Send it now.` });
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
  if (!crypto.subtle) {
    field.value = "";
    const link = { href: byId("nav-find").href, textContent: "Paste it there" };
    return showNotice({ level: "info", link, text: "That was a whole token. It was not sent, and without https this search cannot compute its fingerprint. Find can." });
  }
  field.value = await fingerprint(token);
  showNotice({ level: "info", text: "That was a whole token. It was not sent: the list is searched for its fingerprint." });
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "key-q" || !isSecret(event.target.value)) return;
  event.stopImmediatePropagation();
  if (isToken(event.target.value)) searchByFingerprint(event.target);
  else say("This looks like a token. The search waits until it is whole, and sends only its fingerprint.");
}, true);

document.addEventListener("submit", (event) => {
  if (event.target.id !== "key-search" || !isSecret(byId("key-q").value)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.id === "key-search" && isSecret(event.detail.parameters.q)) event.preventDefault();
});

/* The back-forward cache: a member's page that comes back is asked for again, since the session may have ended. */

window.addEventListener("pagehide", ({ persisted }) => {
  if (persisted && isMember) document.body.hidden = true;
});

window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted && isMember) location.replace(location.pathname + location.search);
});

/* Filters: on a narrow screen they scroll sideways; bring the chosen one into view without moving the page. */

function showChosenChip(root) {
  each(root, ".chip[aria-current]", (chip) => { (chip.closest(".list-line") ?? chip.closest("ul")).scrollLeft = chip.offsetLeft - 128; });
}

/** After a proof that was asked for on the way to a dialog: its link is on this page again. */
function openDialogAgain() {
  const [, path] = location.hash.split("#dialog=");
  if (!path) return;
  history.replaceState(history.state, "", location.pathname + location.search);
  const link = document.querySelector(`a[data-dialog][href="${CSS.escape(path)}"]`);
  link?.focus();
  link?.click();
}

/** A key is new once: the address that is shared or kept as a bookmark does not say so. */
function forgetNewKey() {
  const address = new URL(location.href);
  if (!address.searchParams.has("new")) return;
  address.searchParams.delete("new");
  history.replaceState(history.state, "", address);
}

/* Start */

(window.requestIdleCallback || setTimeout)(rememberTimeZone); // browsers load their time-zone data slowly
setInterval(refreshMoments, 1000);
document.addEventListener("visibilitychange", refreshMoments);
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  // Not detail.elt: after the swap it is a parent of the form.
  const form = detail.requestConfig.elt.closest("form[data-once]");
  if (form) stopWaiting(form);
});
const waiting = byId("notices")?.textContent.trim();
if (waiting) say(waiting.replace(/\s+/g, " "));
if (isMember) {
  forgetNewKey();
  showChosenChip(document);
  openDialogAgain();
}
document.addEventListener("htmx:load", ({ detail }) => showChosenChip(detail.elt));
