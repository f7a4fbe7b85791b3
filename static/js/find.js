// The page that tells whose a token is. Tokens in the pasted text are replaced by their hashes before anything is sent;
// keys/api_keys/pasted.py finds the same ones where no scripts run.

const MASK = "…";
const WHOLE_TOKEN = /EST(?:[0-9a-z_-]{8,}|[0-9A-F-]{36})ARY/g;
const HASH = /(?<![0-9A-Za-z_-])[0-9A-Za-z_-]{43}(?![0-9A-Za-z_-])/g;
const FINGERPRINT = /^[0-9A-Za-z_-]{8,42}$/;
const ESCAPED_DASH = /%2d|\\u002d/gi;
const TOKEN_CHARACTER = /[0-9A-Za-z_-]/;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/gu;
const WRAPPED_TOKEN = /^EST[0-9A-Za-z-]{20,200}ARY$/;

/** The tokens by hash, as long as this page is open: to ask Estuary about one when the member presses for it. */
const tokens = new Map();

/* SHA-256 (FIPS 180-4), for consoles without https: browsers offer `crypto.subtle` in secure contexts only. */

const primes = [];
for (let n = 2; primes.length < 64; n += 1) if (primes.every((prime) => n % prime)) primes.push(n);
const fraction = (root) => Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
const ROUNDS = primes.map((prime) => fraction(Math.cbrt(prime)));
const START = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const turn = (word, by) => (word >>> by) | (word << (32 - by));

function padded(bytes) {
  const blocks = new DataView(new ArrayBuffer(((bytes.length + 72) >> 6) << 6));
  bytes.forEach((byte, at) => blocks.setUint8(at, byte));
  blocks.setUint8(bytes.length, 0x80);
  blocks.setUint32(blocks.byteLength - 4, bytes.length * 8);
  return blocks;
}

function schedule(blocks, at) {
  const words = Array.from({ length: 16 }, (_, n) => blocks.getInt32(at + 4 * n));
  for (let n = 16; n < 64; n += 1) {
    const [early, late] = [words[n - 15], words[n - 2]];
    const small = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
    const large = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
    words.push((words[n - 16] + small + words[n - 7] + large) | 0);
  }
  return words;
}

function sha256(bytes) {
  const blocks = padded(bytes);
  let state = START;
  for (let at = 0; at < blocks.byteLength; at += 64) {
    const words = schedule(blocks, at);
    let [a, b, c, d, e, f, g, h] = state;
    for (let n = 0; n < 64; n += 1) {
      const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[n] + words[n]) | 0;
      const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    state = [a, b, c, d, e, f, g, h].map((word, n) => (word + state[n]) | 0);
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, n) => digest.setInt32(4 * n, word));
  return digest.buffer;
}

async function hashOf(token) {
  const bytes = new TextEncoder().encode(token);
  const digest = crypto.subtle ? await crypto.subtle.digest("SHA-256", bytes) : sha256(bytes);
  const base64 = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace("=", "");
}

/* What is sent instead of the text */

/** The length of the beginning that two lines share, up to a character that no token has. */
function sharedLength(one, other) {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  while (length && TOKEN_CHARACTER.test(one[length - 1])) length -= 1;
  return length;
}

/** The text without line breaks, those of quoted-printable and of a log with a beginning for each line included. */
function inOneLine(text) {
  const lines = text.split(/\r\n?|\n/);
  const pieces = lines.map((line, at) => line.slice(at && sharedLength(lines[at - 1], line)).trim().replace(/=$/, ""));
  return pieces.join("").replaceAll(INVISIBLE, "");
}

function tokensIn(pasted) {
  const text = pasted.replaceAll(ESCAPED_DASH, "-");
  const found = [inOneLine(text), text].flatMap((one) => one.match(WHOLE_TOKEN) ?? []);
  if (found.length) return new Set(found);
  const joined = text.replaceAll(/\s/g, "").replaceAll(INVISIBLE, "");
  return new Set(WRAPPED_TOKEN.test(joined) ? [joined] : joined.match(WHOLE_TOKEN));
}

async function withoutTokens(text) {
  const hashes = [];
  for (const token of tokensIn(text)) {
    const hash = await hashOf(token);
    tokens.set(hash, token);
    hashes.push(hash);
  }
  const found = [...hashes, ...(text.match(HASH) ?? [])];
  if (found.length) return found.join("\n");
  return FINGERPRINT.test(text.trim()) ? text.trim() : MASK;
}

/* Wiring: on the native event, before htmx reads the form */

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.matches("[data-ask-estuary]")) fillIn(form);
  if (!form.matches("[data-hash-tokens]") || form.dataset.isHashed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const field = form.elements.text;
  field.value = await withoutTokens(field.value);
  await new Promise((resolve) => { setTimeout(resolve); }); // a form cannot be sent while its submit event is on its way
  form.dataset.isHashed = "true";
  form.requestSubmit();
  delete form.dataset.isHashed;
}, true);

const tokenOf = (form) => tokens.get(form.closest("[data-token-hash]").dataset.tokenHash);

function fillIn(form) {
  form.elements.text.value ||= tokenOf(form) ?? "";
}

/** The token need not be pasted twice while this page still has it. */
function prepare(root) {
  root.querySelectorAll("[data-ask-estuary]").forEach((form) => {
    if (!tokenOf(form)) return;
    form.querySelector("[data-token-field]").hidden = true;
    form.elements.text.required = false;
  });
}

document.addEventListener("htmx:load", ({ detail }) => prepare(detail.elt));
window.addEventListener("pagehide", () => tokens.clear());
