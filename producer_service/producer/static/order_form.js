// The checkout form: a summary while typing, one order however often Confirm is pressed, a clear result.

import { isOutcomeUnknown, request, Unreachable } from "./api.js";
import { Attempt } from "./attempt.js";
import { copyButton } from "./copy_id.js";
import { byId, element } from "./element.js";
import { clearErrors, clearOnInput, showErrors } from "./field_errors.js";
import { formatCents, parseCents, parsePrice, parseQuantity } from "./money.js";

/** Connect the form, show results in the node `result`, and call onPlaced(order) after an order. */
export function orderForm(form, result, onPlaced) {
  const attempt = new Attempt();
  const dashboard = byId("dashboard").href;
  const button = byId("confirm");
  let isSending = false;

  async function confirm() {
    const order = readDraft(form);
    clearErrors(form);
    result.replaceChildren(element("p", { className: "soft" }, "Placing the order…"));
    try {
      const headers = { "Idempotency-Key": attempt.key(order) };
      const placed = await request("/orders", { method: "POST", body: order, headers });
      attempt.decided();
      result.replaceChildren(...receipt(placed, dashboard));
      onPlaced(placed);
    } catch (error) {
      result.replaceChildren(element("p", { className: "bad" }, showFailure(form, error)));
    }
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending) {
      return;
    }
    isSending = true;
    button.setAttribute("aria-disabled", "true"); // not `disabled`, which would take the focus away
    await confirm();
    button.removeAttribute("aria-disabled");
    isSending = false;
  });
  form.addEventListener("input", () => summarise(form));
  clearOnInput(form);
  summarise(form); // browsers keep the typed text when a page is loaded again
}

/** Read the fields as they will be sent. A quantity that is no number is sent as text: the server names the field. */
function readDraft(form) {
  const order = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
  if (/^[0-9]{1,9}$/.test(order.quantity)) {
    order.quantity = Number(order.quantity);
  }
  return order;
}

function summarise(form) {
  const text = (name) => form.elements.namedItem(name).value.trim();
  const price = parsePrice(text("unit_price"));
  const quantity = parseQuantity(text("quantity"));
  byId("summary-item").textContent = text("item") || "No item yet";
  byId("summary-parts").textContent =
    price && quantity ? `${quantity.toLocaleString("en")} × ${formatCents(price)}` : "";
  byId("total").value = price && quantity ? formatCents(price * quantity) : "–";
}

function receipt(order, dashboard) {
  const total = formatCents(parseCents(order.total));
  return [
    element("p", { className: "good" }, "Order placed. Thank you!"),
    element("p", {}, "Order ", copyButton(order.id), " · total ", element("strong", {}, total)),
    element(
      "p",
      {},
      element("a", { href: dashboard, target: "_blank", rel: "noopener" }, "See it on the live dashboard"),
    ),
  ];
}

/** Show the errors of the fields and return the failure in full sentences. */
function showFailure(form, error) {
  const others = showErrors(form, error.errors ?? []);
  if (isOutcomeUnknown(error)) {
    const cause = error instanceof Unreachable ? error.message : `The shop could not place the order: ${error.message}`;
    return `${cause} Press Confirm order again: it will not be placed twice.`;
  }
  if (error.errors?.length) {
    return ["Not placed: please correct the marked fields.", ...others].join(" ");
  }
  return `Not placed: ${error.message}`;
}
