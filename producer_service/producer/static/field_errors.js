// Shows the server's errors beside the fields that they are about.

import { byId } from "./element.js";

/** Show each error at its field and focus the first one; return the errors without a field, as sentences. */
export function showErrors(form, errors) {
  clearErrors(form);
  const others = [];
  for (const { pointer, detail } of errors) {
    const input = form.elements.namedItem(pointer.slice(1));
    if (input) {
      mark(input, detail);
    } else {
      others.push(`${pointer.slice(1)} ${detail}.`);
    }
  }
  form.querySelector("[aria-invalid]")?.focus();
  return others;
}

export function clearErrors(form) {
  form.querySelectorAll("[aria-invalid]").forEach(clear);
}

/** Clear an error as soon as its field is changed: only the server can tell whether the new value is right. */
export function clearOnInput(form) {
  form.addEventListener("input", (event) => clear(event.target));
}

function mark(input, detail) {
  input.setAttribute("aria-invalid", "true");
  const error = errorOf(input);
  const label = input.labels[0].firstChild.textContent.trim();
  error.textContent = `${label}: ${detail}`;
  error.hidden = false;
}

function clear(input) {
  input.removeAttribute("aria-invalid");
  errorOf(input).hidden = true;
}

function errorOf(input) {
  return byId(`${input.id}-error`);
}
