// Enhancements of every page, attached by data attributes. Every page also works without them.

const each = (root, selector, act) => root.querySelectorAll(selector).forEach(act);
const byId = (id) => document.getElementById(id);
const dialogOpen = () => byId("dialog")?.open;

/* Speaking: one hidden live region, or the one in the dialog, since what lies behind a dialog is silent. The other
   script dispatches "say" and "notice" events, so that none imports the other. */

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

/* Forms that may be sent only once. A waiting button shows it after a moment (console.css), keeps the focus, and is not
   disabled: that would lose the focus. */

const MOMENT = 200;

function waitOn(form) {
  const button = form.querySelector("button[type=submit]");
  form.dataset.sent = "true";
  button.classList.add("is-waiting");
  button.setAttribute("aria-disabled", "true");
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
  each(form, "button.is-waiting", (button) => {
    button.classList.remove("is-waiting");
    button.removeAttribute("aria-disabled");
  });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-once]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    event.stopImmediatePropagation();
  } else {
    waitOn(form);
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
  const isCommand = event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
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
