// Every page: stamps entries with the device's own clock, and says so when what was sent did not arrive.
"use strict";
// What the scripts of a page share. `ahead`: how far this device's clock is ahead of the server's, in ms; null until heard.
const regrow = {
  ahead: null,
  clock: (ms) => new Date(ms).toTimeString().slice(0, 5),
  // A fresh key: 96 random bits, as the server makes them.
  key: () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join(""),
  // Says something beside a form, in the place of what was said there before.
  say(form, text, kind) {
    if (!form.isConnected) return;
    form.querySelector(".told")?.remove();
    const told = document.createElement("p");
    told.className = `told ${kind}`;
    told.setAttribute("role", kind === "problem" ? "alert" : "status");
    told.textContent = text;
    form.append(told);
  },
};

function stamp(form) {
  for (const name of ["made_at", "sent_at"]) {
    let field = form.querySelector(`input[name=${name}]`);
    if (!field) { field = document.createElement("input"); field.type = "hidden"; field.name = name; form.append(field); }
    field.value = String(Date.now());
  }
}
document.addEventListener("submit", (event) => { if (event.target.querySelector("input[name=kind]")) stamp(event.target); }, true);

// A passkey that was not given, or that this browser does not allow here, must be said.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const form = document.querySelector("input[name=credential]")?.form;
  if (form) regrow.say(form, `The passkey was not used (${event.detail.exception?.name}). Try again, or use your PIN or password. Passkeys need HTTPS, or localhost, and a name instead of a number as address.`, "problem");
});

// A form that is not queued and finds no server, or a server in trouble, wrote nothing: the person must know.
document.addEventListener("htmx:error", (event) => {
  const form = event.detail.ctx?.sourceElement;
  if (form) regrow.say(form, "NOT KEPT: the server did not answer. Try again, or write it on paper.", "problem");
});
document.addEventListener("htmx:response:error", (event) => {
  const { sourceElement, response } = event.detail.ctx;
  if (response.status >= 500) regrow.say(sourceElement, "NOT KEPT: the server had a fault. Try again, or write it on paper.", "problem");
});
