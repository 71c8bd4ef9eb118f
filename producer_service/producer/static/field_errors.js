// What the server says of each field, shown beside it.

/** Shows each error at its field and goes to the first; returns those that belong to no field. */
export function showErrors(form, errors) {
  clearErrors(form);
  const homeless = [];
  for (const { pointer, detail } of errors) {
    const input = form.elements.namedItem(pointer.slice(1));
    if (input) {
      mark(input, detail);
    } else {
      homeless.push(`${pointer.slice(1)} ${detail}`);
    }
  }
  form.querySelector("[aria-invalid]")?.focus();
  return homeless;
}

export function clearErrors(form) {
  form.querySelectorAll("[aria-invalid]").forEach(clear);
}

/** Gone as soon as the field is changed: whether it is right now is for the server to say. */
export function clearOnInput(form) {
  form.addEventListener("input", (event) => clear(event.target));
}

function mark(input, detail) {
  input.setAttribute("aria-invalid", "true");
  const place = placeOf(input);
  const label = input.labels[0].firstChild.textContent.trim();
  place.textContent = `${label}: ${detail}`;
  place.hidden = false;
}

function clear(input) {
  input.removeAttribute("aria-invalid");
  placeOf(input).hidden = true;
}

function placeOf(input) {
  return document.getElementById(`${input.id}-error`);
}
