// What every page gets on top of plain HTML. Behaviour hangs on data attributes; nothing here is needed to get work done.

const each = (root, selector, act) => root.querySelectorAll(selector).forEach(act);

/* Speaking: one hidden live region. Other scripts dispatch a "say" event, so that no script imports another. */

function say(text) {
  const spoken = document.getElementById("spoken");
  if (!spoken) return;
  spoken.textContent = "";
  setTimeout(() => { spoken.textContent = text; }, 50);
}

document.addEventListener("say", (event) => say(event.detail));

/* Notices */

function showNotice(level, text, link) {
  const notice = document.getElementById("notice-template").content.firstElementChild.cloneNode(true);
  notice.classList.add(level);
  notice.setAttribute("role", level === "error" ? "alert" : "status");
  const place = notice.querySelector("[data-notice-text]");
  place.textContent = text;
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link.href;
    anchor.textContent = link.text;
    place.append(" ", anchor);
  }
  document.getElementById("notices").replaceChildren(notice);
  notice.scrollIntoView({ block: "nearest" });
}

function dismiss(button) {
  button.closest(".notice").remove();
  document.getElementById("main").focus();
}

/* Moments: the same words and rounding as the "moment" template tag, by the server's clock. */

const serverTime = document.querySelector('meta[name="server-time"]');
const clockSkew = serverTime ? Number(serverTime.content) * 1000 - Date.now() : 0;
const UNITS = [["year", 31557600, 63115200], ["month", 2629800, 5184000], ["day", 86400, 172800], ["hour", 3600, 3600], ["minute", 60, 60]];

function relativeText(moment, now) {
  const seconds = (moment - now) / 1000;
  const distance = Math.abs(seconds);
  const [unit, size] = UNITS.find(([, , from]) => distance >= from) || [];
  if (!unit) return seconds > 0 ? "in less than a minute" : "just now";
  const count = Math.round(distance / size);
  const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return seconds > 0 ? `in ${words}` : `${words} ago`;
}

function refreshMoments() {
  const now = Date.now() + clockSkew;
  each(document, "time[data-relative]", (time) => {
    const text = relativeText(new Date(time.dateTime), now);
    if (time.textContent !== text) time.textContent = text;
  });
}

/* Forms that may be sent only once */

function waitOn(form) {
  const button = form.querySelector("button[type=submit]");
  form.dataset.sent = "true";
  each(form, "[data-wait]", (note) => { note.hidden = false; });
  button.classList.add("is-waiting");
  button.setAttribute("aria-disabled", "true");
  say("Please wait.");
  // After the event, because a disabled button would not take part in the submission.
  setTimeout(() => { if (form.dataset.sent) button.disabled = true; });
}

function stopWaiting(form) {
  if (!form.dataset.sent) return;
  delete form.dataset.sent;
  each(form, "[data-wait]", (note) => { note.hidden = true; });
  each(form, "button.is-waiting", (button) => {
    button.classList.remove("is-waiting");
    button.removeAttribute("aria-disabled");
    button.disabled = false;
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
  }
}, true);

window.addEventListener("pageshow", (event) => {
  if (event.persisted) each(document, "form[data-once]", stopWaiting);
});

/* The sentence that says which key will be made */

const LENGTHS = { d: "day", h: "hour", m: "minute", s: "second" };

function lifetimeWords(form) {
  const chosen = form.querySelector("[name=lifetime]:checked");
  if (!chosen) return "";
  if (chosen.value === "never") return ", never expires";
  if (chosen.value !== "custom") return `, valid for ${chosen.closest("label").textContent.trim()}`;
  const text = form.elements.custom_lifetime.value.trim();
  if (!/^(\d+[dhms])+$/.test(text)) return ", valid for a lifetime of your choice";
  const parts = [...text.matchAll(/(\d+)([dhms])/g)];
  return `, valid for ${parts.map(([, count, unit]) => `${Number(count)} ${LENGTHS[unit]}${Number(count) === 1 ? "" : "s"}`).join(" ")}`;
}

function updateSummary(form) {
  const place = form.querySelector("[data-summary-text]");
  const label = form.elements.label.value.trim();
  const name = label ? ` “${label}”` : "";
  const upload = form.elements.permission.value === "upload";
  place.textContent = `${upload ? "Upload-only key" : "Key"}${name}${upload ? "" : " for everything"}${lifetimeWords(form)}.`;
}

document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-summary]");
  if (form) updateSummary(form);
  if (event.target.matches("[data-filter]")) filterList(event.target);
});

function filterList(input) {
  const wanted = input.value.trim().toLowerCase();
  each(document.querySelector(input.dataset.filter), "[data-filter-text]", (item) => {
    item.hidden = !item.dataset.filterText.includes(wanted);
  });
}

/* Dialog and menu */

const dialog = document.getElementById("dialog");

document.addEventListener("click", (event) => {
  const target = event.target;
  const dismisser = target.closest("[data-dismiss]");
  if (dismisser) dismiss(dismisser);
  if (dialog?.open && (target === dialog || target.closest("[data-dialog-close]"))) {
    event.preventDefault();
    dialog.close();
  }
  each(document, "details[data-menu][open]", (menu) => { if (!menu.contains(target)) menu.open = false; });
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "notices") event.detail.target.scrollIntoView({ block: "nearest" });
  const opener = event.detail.requestConfig?.elt;
  if (event.detail.target.id !== "dialog-body" || !opener?.dataset.dialog) return;
  document.getElementById("dialog-title").textContent = opener.dataset.dialog;
  if (!dialog.open) dialog.showModal();
});

/* htmx */

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers.Accept = "text/html, application/json";
  event.detail.headers["X-Requested-With"] = "XMLHttpRequest";
});

document.addEventListener("htmx:beforeHistoryUpdate", (event) => {
  // Typing one search is one step for the Back button, not one per pause.
  const history = event.detail.history;
  if (event.detail.requestConfig.elt.id === "key-search" && new URLSearchParams(location.search).get("q")) history.type = "replace";
});

document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));

document.addEventListener("htmx:afterSettle", (event) => {
  const news = event.target.querySelector?.("[data-announce]");
  if (news) say(news.textContent.trim());
});

document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt.closest("form[data-once]");
  if (form) stopWaiting(form);
});

const reload = { href: location.href, text: "Reload the page" };

document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 401 || status === 403) location.reload();
  else if (status === 429) showNotice("error", "Too many requests. Wait a minute before you try again.", reload);
  else showNotice("error", "This console could not answer. What you see may be out of date.", reload);
});

document.addEventListener("htmx:sendError", () => {
  showNotice("error", "This console cannot be reached. Check your connection; what you see may be out of date.", reload);
});

document.addEventListener("htmx:timeout", () => {
  showNotice("error", "No answer came in time. If you were changing something, look at your keys before you try again.", reload);
});

/* Time zone: tell the server which one this browser is in */

function rememberTimeZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = document.cookie.split("; ").includes(`timezone=${zone}`);
  if (!zone || known) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `timezone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

/* Start */

function prepare(root) {
  each(root, "form[data-summary]", updateSummary);
  if (root.matches?.("form[data-summary]")) updateSummary(root);
  // On a narrow screen the filters scroll sideways: bring the chosen one into view without moving the page.
  each(root, ".chip[aria-current]", (chip) => { chip.closest("ul").scrollLeft = chip.offsetLeft - 64; });
}

prepare(document);
rememberTimeZone();
setInterval(refreshMoments, 30000);
const waiting = document.getElementById("notices")?.textContent.trim();
if (waiting) say(waiting.replace(/\s+/g, " "));
