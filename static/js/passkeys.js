// Passkeys: asks the browser for a credential and sends it with the form around the button.

const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const withBytes = (list) => (list || []).map((one) => ({ ...one, id: toBytes(one.id) }));

function withoutText({ publicKey }) {
  const options = { ...publicKey, challenge: toBytes(publicKey.challenge) };
  if (options.user) options.user = { ...options.user, id: toBytes(options.user.id) };
  if (options.excludeCredentials) options.excludeCredentials = withBytes(options.excludeCredentials);
  if (options.allowCredentials) options.allowCredentials = withBytes(options.allowCredentials);
  return { publicKey: options };
}

function withoutBytes(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return {
    id: credential.id, rawId: toText(credential.rawId), type: credential.type, response,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

async function optionsOf(form) {
  if (form.dataset.options) return JSON.parse(form.dataset.options);
  const response = await fetch(form.dataset.fetch, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error("no options");
  return JSON.parse((await response.json()).options);
}

function tell(text) {
  document.dispatchEvent(new CustomEvent("notice", { detail: { level: "error", text } }));
}

async function ask(form) {
  const button = form.querySelector("button[type=submit]");
  button.classList.add("is-waiting");
  button.setAttribute("aria-disabled", "true");
  try {
    const credential = await navigator.credentials[form.dataset.passkey](withoutText(await optionsOf(form)));
    form.elements.credential.value = JSON.stringify(withoutBytes(credential));
    form.submit();
  } catch (error) {
    button.classList.remove("is-waiting");
    button.removeAttribute("aria-disabled");
    const isKnown = error.name === "InvalidStateError";
    tell(isKnown ? "This device already has a passkey for this account." : "No passkey was used. Try again, or use another method.");
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-passkey]")) return;
  event.preventDefault();
  if (!window.isSecureContext) return tell("Passkeys need https. Use another method, or ask an admin of this console.");
  if (!window.PublicKeyCredential) return tell("This browser has no passkeys. Use another method, or another browser.");
  if (!form.querySelector("[aria-disabled]")) ask(form);
});
