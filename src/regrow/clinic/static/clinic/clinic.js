// Every page: stamps entries with the device's own clock, so that the server knows when they were made.
"use strict";
function stamp(form) {
  for (const name of ["made_at", "sent_at"]) {
    let field = form.querySelector(`input[name=${name}]`);
    if (!field) { field = document.createElement("input"); field.type = "hidden"; field.name = name; form.append(field); }
    field.value = String(Date.now());
  }
}
document.addEventListener("submit", (event) => { if (event.target.querySelector("input[name=kind]")) stamp(event.target); }, true);
