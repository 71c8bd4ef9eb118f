// The newest orders, asked for again and again; rows are kept, so focus and selection stay where they are.

import { ask } from "./api.js";
import { move, whyNot } from "./lifecycle.js";
import { OrderRow } from "./order_row.js";
import { Poll } from "./poll.js";
import { keepTimesFresh } from "./time.js";

const SHOWN = 20;
const ASK_WITHIN_MS = 5000;

export class RecentOrders {
  #rows = new Map();
  #first = true;

  constructor(body, empty, state) {
    Object.assign(this, { body, empty, state });
    this.poll = new Poll(() => this.#refresh());
    keepTimesFresh(body);
    this.poll.now();
  }

  async #refresh() {
    try {
      const { orders } = await ask(`/orders?limit=${SHOWN}`, { within: ASK_WITHIN_MS });
      if (this.#isChoosing()) {
        orders.forEach((order) => this.#rows.get(order.id)?.update(order));
        this.state.held();
      } else {
        this.#show(orders);
        this.state.reached();
      }
    } catch (error) {
      this.state.failed(error);
    }
  }

  /** Rows do not move under a pointer that is about to press a button. */
  #isChoosing() {
    return matchMedia("(hover: hover)").matches && this.body.querySelector(".actions:hover") !== null;
  }

  #show(orders) {
    const rows = orders.map((order) => this.#row(order));
    const kept = new Set(rows.map((row) => row.order.id));
    for (const [id, row] of this.#rows) {
      if (!kept.has(id)) {
        row.node.remove();
        this.#rows.delete(id);
      }
    }
    rows.forEach((row, place) => this.#put(row.node, place));
    this.empty.hidden = rows.length > 0;
    this.body.parentElement.hidden = rows.length === 0;
    this.#first = false;
  }

  #row(order) {
    let row = this.#rows.get(order.id);
    if (row) {
      row.update(order);
    } else {
      row = new OrderRow(order, (...step) => this.#move(...step));
      this.#rows.set(order.id, row);
      if (!this.#first) {
        row.flash();
      }
    }
    return row;
  }

  #put(node, place) {
    if (this.body.children[place] !== node) {
      this.body.insertBefore(node, this.body.children[place] ?? null);
    }
  }

  async #move(row, status) {
    if (row.moving) {
      return;
    }
    row.moving = true;
    row.note.textContent = "";
    try {
      row.update(await move(row.order, status));
    } catch (error) {
      row.note.textContent = whyNot(error);
    } finally {
      row.moving = false;
    }
    this.poll.now();
  }
}
