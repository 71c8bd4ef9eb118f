// Starts Swagger UI (a classic script that defines window.SwaggerUIBundle) in the reader's light or dark theme.

import { request } from "./api.js";
import { byId } from "./element.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const followTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
const container = byId("docs");

dark.addEventListener("change", followTheme);
followTheme();
new MutationObserver(labelIntroduction).observe(container, { childList: true, subtree: true });

try {
  window.SwaggerUIBundle({
    domNode: container,
    spec: await documentToTry(),
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
  });
} catch (error) {
  container.textContent = `Load the page again. The document cannot be shown: ${error.message}`;
}

/**
 * Return the OpenAPI document. Its example of an order id is an order that can be confirmed, so that the requests
 * that need one can be tried without editing.
 */
async function documentToTry() {
  const [openapi, { orders }] = await Promise.all([request(container.dataset.document), newestPlaced()]);
  if (orders.length) {
    openapi.components.parameters.OrderId.example = orders[0].id;
  }
  return openapi;
}

/** Return the newest order that is placed, or none: the document must be readable without the database. */
function newestPlaced() {
  return request("/orders?limit=1&status=placed").catch(() => ({ orders: [] }));
}

/** Label the introduction, which Swagger UI puts outside of the main element that it brings along. */
function labelIntroduction(_, observer) {
  const introduction = container.querySelector(".information-container");
  if (introduction) {
    introduction.setAttribute("role", "region");
    introduction.setAttribute("aria-label", "Introduction");
    observer.disconnect();
  }
}
