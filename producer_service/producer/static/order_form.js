// The checkout form: a summary while one types, one order however often Confirm is pressed, a clear result.

import { ask, isUndecided, Unreachable } from "./api.js";
import { Attempt } from "./attempt.js";
import { copyable } from "./copy_id.js";
import { element } from "./element.js";
import { clearErrors, clearOnInput, showErrors } from "./field_errors.js";
import { amount, price, quantity, shown } from "./money.js";

export function orderForm(form, result, onPlaced) {
  const attempt = new Attempt();
  const dashboard = document.getElementById("dashboard").href;
  const button = document.getElementById("confirm");
  let sending = false;

  async function confirm() {
    const order = draft(form);
    clearErrors(form);
    result.replaceChildren(element("p", { className: "soft" }, "Placing the order…"));
    try {
      const headers = { "Idempotency-Key": attempt.key(order) };
      const placed = await ask("/orders", { method: "POST", body: order, headers });
      attempt.decided();
      result.replaceChildren(...receipt(placed, dashboard));
      onPlaced(placed);
    } catch (error) {
      result.replaceChildren(element("p", { className: "bad" }, failure(form, error)));
    }
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) {
      return;
    }
    sending = true;
    button.setAttribute("aria-disabled", "true"); // not disabled: it would lose the focus
    await confirm();
    button.removeAttribute("aria-disabled");
    sending = false;
  });
  form.addEventListener("input", () => summarise(form));
  clearOnInput(form);
  summarise(form); // a browser keeps what was typed when a page is loaded again
}

/** The fields as they will be sent. What is no number goes as it is: the server names the field. */
function draft(form) {
  const order = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
  if (/^[0-9]{1,9}$/.test(order.quantity)) {
    order.quantity = Number(order.quantity);
  }
  return order;
}

function summarise(form) {
  const text = (name) => form.elements.namedItem(name).value.trim();
  const each = price(text("unit_price"));
  const count = quantity(text("quantity"));
  document.getElementById("summary-item").textContent = text("item") || "No item yet";
  document.getElementById("summary-parts").textContent =
    each && count ? `${count.toLocaleString("en")} × ${shown(each)}` : "";
  document.getElementById("total").value = each && count ? shown(each * count) : "–";
}

function receipt(order, dashboard) {
  return [
    element("p", { className: "good" }, "Order placed. Thank you!"),
    element("p", {}, "Order ", copyable(order.id), " · total ", element("strong", {}, shown(amount(order.total)))),
    element(
      "p",
      {},
      element("a", { href: dashboard, target: "_blank", rel: "noopener" }, "See it on the live dashboard"),
    ),
  ];
}

function failure(form, error) {
  const homeless = showErrors(form, error.errors ?? []);
  if (isUndecided(error)) {
    const cause = error instanceof Unreachable ? error.message : `The shop could not do it: ${error.message}`;
    return `${cause} Press Confirm order again: it will not be placed twice.`;
  }
  if (error.errors?.length) {
    return ["Not placed: please look at the marked fields.", ...homeless].join(" ");
  }
  return `Not placed: ${error.message}`;
}
