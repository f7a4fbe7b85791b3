// For members: lists that change in place, and notices about failed requests. Forms and tokens are in forms.js.

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
  if (news) tell("say", news.textContent.trim().replace(/\s+/g, " "));
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

htmx.defineExtension("patch", {
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
  tell("notice", { level: "error", text, link, isTrouble: true });
}

const slowRequests = new Map();
const SLOW = 4000;

document.addEventListener("htmx:beforeSend", ({ detail }) => {
  if (isCheck(detail)) return; // its page says so itself
  slowRequests.set(detail.xhr, setTimeout(() => {
    tell("notice", { level: "info", text: "Estuary is slow to answer. We are still waiting.", isPassing: true });
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

/* The back-forward cache: a page that comes back is asked for again, since its session may have ended. */

window.addEventListener("pagehide", ({ persisted }) => {
  if (persisted) document.body.hidden = true;
});

window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.replace(location.pathname + location.search);
});

/* Filters: on a narrow screen they scroll sideways; bring the chosen one into view without moving the page. */

function showChosenChip(root) {
  each(root, ".chip[aria-current]", (chip) => { (chip.closest(".list-line") ?? chip.closest("ul")).scrollLeft = chip.offsetLeft - 128; });
}

/* Start, and again for each part that htmx brings */

function prepare(root) {
  showChosenChip(root);
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

forgetNewKey();
prepare(document);
openDialogAgain();
document.addEventListener("htmx:load", ({ detail }) => prepare(detail.elt));
