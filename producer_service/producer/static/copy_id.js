// An order's id: short to read, copied in full.

import { element } from "./element.js";

const NOTE_MS = 1500;
const FULL_ID_MS = 30_000;

/** Return both ends of an id: a UUID v7 begins with its time, alike for orders of one minute; its end is random. */
export function shortId(id) {
  return `${id.slice(0, 8)}…${id.slice(-4)}`;
}

/** Create a button that shows the short id and copies the full one. */
export function copyButton(id) {
  const note = element("span", { className: "copy-note", role: "status" });
  const button = element("button", { type: "button", className: "id", title: `Copy ${id}` }, shortId(id));
  button.setAttribute("aria-label", `Copy order ID ${id}`);
  button.addEventListener("click", async () => {
    const isCopied = await copy(id);
    note.textContent = isCopied ? "copied" : id;
    setTimeout(() => (note.textContent = ""), isCopied ? NOTE_MS : FULL_ID_MS);
  });
  return element("span", { className: "copy" }, button, note);
}

/**
 * Copy a text and return whether that worked: the clipboard may be forbidden, or absent without https. Then the id
 * is shown in full, to be selected.
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
