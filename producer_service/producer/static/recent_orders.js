// The newest orders, polled. Rows are kept between polls, so that focus and selection stay where they are.

import { request } from "./api.js";
import { changeStatus, describeFailure } from "./lifecycle.js";
import { OrderRow } from "./order_row.js";
import { Poll } from "./poll.js";
import { refreshTimesEverySecond } from "./time.js";

const MAX_ROWS = 20;
const TIMEOUT_MS = 5000;

export class RecentOrders {
  #rows = new Map();
  #isFirst = true;

  /** Keep the rows of a table body; `empty` is shown without any, `state` tells how current they are. */
  constructor(body, empty, state) {
    Object.assign(this, { body, empty, state });
    this.poll = new Poll(() => this.#refresh());
    refreshTimesEverySecond(body);
    this.poll.now();
  }

  async #refresh() {
    try {
      const { orders } = await request(`/orders?limit=${MAX_ROWS}`, { timeoutMs: TIMEOUT_MS });
      if (this.#isPointingAtButton()) {
        orders.forEach((order) => this.#rows.get(order.id)?.update(order));
        this.state.showPaused();
      } else {
        this.#show(orders);
        this.state.showLive();
      }
    } catch (error) {
      this.state.showFailure(error);
    }
  }

  /** Return whether the pointer is on a button: rows must not move before it is pressed. */
  #isPointingAtButton() {
    return matchMedia("(hover: hover)").matches && this.body.querySelector(".actions:hover") !== null;
  }

  #show(orders) {
    const rows = orders.map((order) => this.#row(order));
    const remaining = new Set(rows.map((row) => row.order.id));
    for (const [id, row] of this.#rows) {
      if (!remaining.has(id)) {
        row.node.remove();
        this.#rows.delete(id);
      }
    }
    rows.forEach((row, index) => this.#put(row.node, index));
    this.empty.hidden = rows.length > 0;
    this.body.parentElement.hidden = rows.length === 0;
    this.#isFirst = false;
  }

  #row(order) {
    let row = this.#rows.get(order.id);
    if (row) {
      row.update(order);
    } else {
      row = new OrderRow(order, (...transition) => this.#changeStatus(...transition));
      this.#rows.set(order.id, row);
      if (!this.#isFirst) {
        row.flash();
      }
    }
    return row;
  }

  #put(node, index) {
    if (this.body.children[index] !== node) {
      this.body.insertBefore(node, this.body.children[index] ?? null);
    }
  }

  async #changeStatus(row, status) {
    if (row.isChanging) {
      return;
    }
    row.isChanging = true;
    row.note.textContent = "";
    try {
      row.update(await changeStatus(row.order, status));
    } catch (error) {
      row.note.textContent = describeFailure(error);
    } finally {
      row.isChanging = false;
    }
    this.poll.now();
  }
}
