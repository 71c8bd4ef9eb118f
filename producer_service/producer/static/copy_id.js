// An order's id: short to read, the full one to copy.

import { element } from "./element.js";

const TOLD_MS = 1500;

/** Both ends: a UUID v7 begins with its time, alike for orders of one minute; its end is random. */
export function shortId(id) {
  return `${id.slice(0, 8)}…${id.slice(-4)}`;
}

export function copyable(id) {
  const told = element("span", { className: "told", role: "status" });
  const button = element("button", { type: "button", className: "id", title: `Copy ${id}` }, shortId(id));
  button.setAttribute("aria-label", `Copy order id ${id}`);
  button.addEventListener("click", async () => {
    told.textContent = (await copied(id)) ? "copied" : id;
    setTimeout(() => (told.textContent = ""), told.textContent === id ? 20 * TOLD_MS : TOLD_MS);
  });
  return element("span", { className: "copy" }, button, told);
}

/** The clipboard may be forbidden, or absent without https; then the id is shown in full to select. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
