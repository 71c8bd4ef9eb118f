// Starts Swagger UI (a classic script that leaves SwaggerUIBundle behind) in the reader's light or dark.

import { ask } from "./api.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
const place = document.getElementById("docs");

dark.addEventListener("change", follow);
follow();
new MutationObserver(nameIntroduction).observe(place, { childList: true, subtree: true });

try {
  window.SwaggerUIBundle({
    domNode: place,
    spec: await documentToTry(),
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
  });
} catch (error) {
  place.textContent = `The document cannot be shown: ${error.message} Load the page again.`;
}

/** With the id of an order that can be confirmed, so that what asks for one can be tried as it stands. */
async function documentToTry() {
  const [found, { orders }] = await Promise.all([ask(place.dataset.document), newest()]);
  if (orders.length) {
    found.components.parameters.OrderId.example = orders[0].id;
  }
  return found;
}

/** The document can be read without the database. */
function newest() {
  return ask("/orders?limit=1&status=placed").catch(() => ({ orders: [] }));
}

/** Swagger UI brings the page's main, and leaves its introduction outside of it. */
function nameIntroduction(_, watch) {
  const introduction = place.querySelector(".information-container");
  if (introduction) {
    introduction.setAttribute("role", "region");
    introduction.setAttribute("aria-label", "Introduction");
    watch.disconnect();
  }
}
