// Tokens on a page: masking, copying, and not losing one that is shown once.

const PLACEHOLDER = "EST…ARY";
const say = (text) => document.dispatchEvent(new CustomEvent("say", { detail: text }));

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
  say("Copied");
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
  say(advice);
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
    say("Copied");
  }
});

window.addEventListener("pageshow", (event) => {
  // A page that comes back from the browser's memory must not bring the token along.
  if (!event.persisted) return;
  document.querySelectorAll("[data-secret]").forEach((field) => { field.value = ""; mask(field); });
});

const prepare = (root) => root.querySelectorAll("[data-secret]").forEach(mask);
document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
prepare(document);
