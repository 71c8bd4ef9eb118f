// One order as a row: its cells, and the buttons for what can come next.

import { copyable } from "./copy_id.js";
import { element } from "./element.js";
import { transitions } from "./lifecycle.js";
import { amount, shown } from "./money.js";
import { timeElement } from "./time.js";

export class OrderRow {
  /** onStep(row, status) is called when a button is pressed. */
  constructor(order, onStep) {
    this.order = order;
    this.onStep = onStep;
    this.status = element("span", { className: "status" });
    this.actions = element("span", { className: "actions" });
    this.note = element("p", { className: "note", role: "status" });
    this.node = element("tr", { role: "row" }, ...this.#cells(order));
    this.#showStatus();
  }

  /** True when it is a later version than the one that is shown. */
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
    void this.node.offsetWidth; // the animation starts anew only after a layout without it
    this.node.classList.add("fresh");
  }

  #cells(order) {
    const price = `${order.quantity.toLocaleString("en")} × ${shown(amount(order.unit_price))}`;
    const item = [clamped(order.item, "item")];
    if (order.description) {
      item.push(clamped(order.description, "description"));
    }
    return [
      cell("order", "", copyable(order.id)),
      cell("customer", "", clamped(order.customer_name)),
      cell("item", "", ...item),
      cell("quantity", "number", price),
      cell("total", "number strong", shown(amount(order.total))),
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
    this.actions.replaceChildren(...transitions(status).map(([word, next]) => this.#button(word, next)));
    if (hadFocus) {
      (this.actions.querySelector("button") ?? this.node.querySelector("button.id")).focus();
    }
  }

  #button(word, next) {
    const button = element(
      "button",
      { type: "button", className: `button ${next === "cancelled" ? "cancel" : "step"}` },
      word,
    );
    button.setAttribute("aria-label", `${word} the order of ${this.order.customer_name}, ${this.order.item}`);
    button.addEventListener("click", () => this.onStep(this, next));
    return button;
  }
}

/** Two lines at most; all of it when pointed at. */
function clamped(text, className = "") {
  return element("span", { className: `clamped ${className}`, title: text, dir: "auto" }, text);
}

/** Its name is what a narrow screen places it by. */
function cell(name, className, ...children) {
  const node = element("td", { role: "cell", className }, ...children);
  node.dataset.cell = name;
  return node;
}
