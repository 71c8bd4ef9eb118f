// One order as a row: its cells, and a button for each transition that it can take.

import { copyButton } from "./copy_id.js";
import { element } from "./element.js";
import { transitions } from "./lifecycle.js";
import { formatCents, parseCents } from "./money.js";
import { timeElement } from "./time.js";

export class OrderRow {
  /** Create the row. onTransition(row, status) is called when a button is pressed. */
  constructor(order, onTransition) {
    this.order = order;
    this.onTransition = onTransition;
    this.status = element("span", { className: "status" });
    this.actions = element("span", { className: "actions" });
    this.note = element("p", { className: "note", role: "status" });
    this.node = element("tr", { role: "row" }, ...this.#cells(order));
    this.#showStatus();
  }

  /** Show the order if it is a later version than the one shown; return whether it is. */
  update(order) {
    if (order.version <= this.order.version) {
      return false;
    }
    this.order = order;
    this.#showStatus();
    this.flash();
    return true;
  }

  flash() {
    this.node.classList.remove("fresh");
    void this.node.offsetWidth; // forces a layout without the class, as otherwise the animation would not restart
    this.node.classList.add("fresh");
  }

  #cells(order) {
    const price = `${order.quantity.toLocaleString("en")} × ${formatCents(parseCents(order.unit_price))}`;
    const item = [clamped(order.item, "item")];
    if (order.description) {
      item.push(clamped(order.description, "description"));
    }
    return [
      cell("order", "", copyButton(order.id)),
      cell("customer", "", clamped(order.customer_name)),
      cell("item", "", ...item),
      cell("quantity", "number", price),
      cell("total", "number strong", formatCents(parseCents(order.total))),
      cell("status", "", this.status),
      cell("placed", "soft", timeElement(order.created_at)),
      cell("next", "", this.actions, this.note),
    ];
  }

  #showStatus() {
    const { status } = this.order;
    const hadFocus = this.actions.contains(document.activeElement);
    this.status.textContent = status;
    this.status.dataset.status = status;
    this.actions.replaceChildren(...transitions(status).map(([label, target]) => this.#button(label, target)));
    if (hadFocus) {
      (this.actions.querySelector("button") ?? this.node.querySelector("button.id")).focus();
    }
  }

  #button(label, target) {
    const button = element(
      "button",
      { type: "button", className: `button ${target === "cancelled" ? "cancel" : "step"}` },
      label,
    );
    button.setAttribute("aria-label", `${label} the order of ${this.order.customer_name}, ${this.order.item}`);
    button.addEventListener("click", () => this.onTransition(this, target));
    return button;
  }
}

/** Create a text that shows two lines at most, and all of it when pointed at. */
function clamped(text, className = "") {
  return element("span", { className: `clamped ${className}`, title: text, dir: "auto" }, text);
}

/** Create a cell. The stylesheet places it by its name on narrow screens. */
function cell(name, className, ...children) {
  const node = element("td", { role: "cell", className }, ...children);
  node.dataset.cell = name;
  return node;
}
