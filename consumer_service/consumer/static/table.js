// The rows: newest first, at most MAX_ROWS, each event once. Data from the server is set as text only.

import { eventUrl, orderUrl } from "./kafka_ui.js";

export const MAX_ROWS = 1000;

const COLUMNS = [
  ["Type", "c-type"],
  ["Order ID", "c-order"],
  ["Customer", "c-customer"],
  ["Item", "c-item"],
  ["Unit price", "c-price number"],
  ["Quantity", "c-quantity number"],
  ["Status", "c-status"],
  ["Time", "c-time"],
];
const MAX_FLASHES = 25;
// Partitions arrive with small delays: a live event is put where its time belongs if that was a moment ago, else on top,
// where a new row is looked for, whatever a wrong clock says.
const MAX_DELAY_MS = 5_000;
const COPIED_MS = 1200;

export class Table {
  #body;
  #now;
  #ids = new Set();
  #byOrder = new Map();

  /** Whether an order has one row, which changes in place, instead of one for each event. To be set while it is empty. */
  isOfOrders = false;

  /** now: a function that returns the server's time in milliseconds. */
  constructor(body, now) {
    this.#body = body;
    this.#now = now;
    body.addEventListener("click", (click) => copy(click.target.closest("button[data-copy]")));
    body.addEventListener("pointerover", (over) => explain(over.target));
  }

  get size() {
    return this.#body.rows.length;
  }

  /** Add events on top, in the order of their arrival: newest last. areNews: whether their rows flash. */
  addNewest(events, { areNews = true } = {}) {
    const now = this.#now();
    const rows = this.#newRows(this.isOfOrders ? events : events.slice(-MAX_ROWS), areNews);
    let top = this.#body.rows[0]?.sortTime ?? -Infinity;
    let isInOrder = true;
    for (const row of rows) {
      if (now - row.sortTime > MAX_DELAY_MS) {
        row.sortTime = Math.max(row.sortTime, top);
      }
      isInOrder &&= row.sortTime >= top;
      top = Math.max(top, row.sortTime);
      if (areNews && rows.length <= MAX_FLASHES) {
        row.className = "new";
      }
    }
    if (isInOrder) {
      this.#body.prepend(...rows.reverse());
    } else {
      this.#insertRows(rows);
    }
    this.#dropOldest();
  }

  /** Add events below the others, newest first; return how many of them were new. */
  addOlder(events) {
    const room = MAX_ROWS - this.size;
    const rows = this.#newRows(events);
    rows.slice(room).forEach((row) => this.#forget(row));
    let bottom = this.#body.lastElementChild?.sortTime ?? Infinity;
    for (const row of rows) {
      bottom = Math.min(bottom, row.sortTime); // whatever a wrong clock says, each is below the one before
      row.sortTime = bottom;
    }
    this.#body.append(...rows.slice(0, room));
    return Math.min(rows.length, room);
  }

  /** Add events where their times belong; return how many of them are shown that were not. The oldest rows go when there are too many. */
  insert(events) {
    const rows = this.#newRows(events);
    this.#insertRows(rows);
    this.#dropOldest();
    return rows.filter((row) => row.parentNode).length;
  }

  clear() {
    this.#body.replaceChildren();
    this.#ids.clear();
    this.#byOrder.clear();
  }

  /** Refresh the relative times; only those that have changed are touched. */
  refreshTimes(now) {
    for (const row of this.#body.rows) {
      const cell = row.lastElementChild.lastElementChild;
      const text = ago(row.eventTime, now);
      if (cell.firstChild.data !== text) {
        cell.firstChild.data = text;
      }
    }
  }

  #insertRows(rows) {
    for (const row of rows) {
      this.#body.insertBefore(row, this.#firstNotAfter(row.sortTime));
    }
  }

  /** Return the first row that is not newer than a moment; null if all are. */
  #firstNotAfter(moment) {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#body.rows[middle].sortTime > moment) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return this.#body.rows[low] ?? null;
  }

  #newRows(events, areNews = true) {
    const now = this.#now();
    const rows = [];
    for (const event of events) {
      if (this.#ids.has(event.id)) {
        continue;
      }
      this.#ids.add(event.id);
      const row = createRow(event, now);
      row.sortTime = Number.isNaN(row.eventTime) ? now : Math.min(row.eventTime, now);
      if (!this.isOfOrders || !this.#changeInPlace(row, rows, areNews)) {
        rows.push(row);
      }
    }
    return rows;
  }

  /** Let a row take the place of its order's row; return whether there is nothing more to do. rows: not in the page yet. */
  #changeInPlace(row, rows, areNews) {
    const shown = this.#byOrder.get(row.subject);
    if (shown && shown.version >= row.version) {
      return true; // an older page of history
    }
    this.#byOrder.set(row.subject, row);
    if (!shown) {
      return false;
    }
    row.sortTime = shown.sortTime;
    row.className = areNews ? "new" : "";
    if (rows.includes(shown)) {
      rows[rows.indexOf(shown)] = row;
    } else {
      shown.replaceWith(row);
    }
    this.#ids.delete(shown.eventId);
    return true;
  }

  #dropOldest() {
    while (this.size > MAX_ROWS) {
      const row = this.#body.lastElementChild;
      this.#forget(row);
      row.remove();
    }
  }

  #forget(row) {
    this.#ids.delete(row.eventId);
    if (this.#byOrder.get(row.subject) === row) {
      this.#byOrder.delete(row.subject);
    }
  }
}

// Where Kafka UI shows the topic's messages; "" without a Kafka UI.
const messages = document.body.dataset.messages;

// Each row is a copy of this one with its texts filled in: at a thousand rows a second, that is worth it.
const template = createTemplate();

function createTemplate() {
  const row = document.createElement("tr");
  row.setAttribute("role", "row");
  for (const [label, names] of COLUMNS) {
    const cell = document.createElement("td");
    cell.setAttribute("role", "cell");
    cell.className = names;
    cell.dataset.label = label;
    row.append(cell);
  }
  const [type, order, ...others] = row.cells;
  type.append(document.createElement(messages ? "a" : "span"));
  order.append(document.createElement("button"));
  order.firstChild.type = "button";
  order.firstChild.className = "id";
  if (messages) {
    const link = document.createElement("a");
    link.className = "to-kafka";
    link.textContent = "↗";
    order.append(link);
  }
  others.at(-1).append(document.createElement("time"));
  return row;
}

function createRow(event, now) {
  const data = event.data ?? {};
  const isTest = event.type === "test.event";
  const row = template.cloneNode(true);
  row.eventId = event.id;
  row.eventTime = Date.parse(event.time);
  row.subject = event.subject;
  row.version = data.version ?? 1;
  const [type, order, customer, item, price, quantity, status, time] = row.children;
  type.firstChild.textContent = event.type;
  type.firstChild.className = isTest ? "chip test" : "chip";
  if (messages) {
    type.firstChild.href = eventUrl(messages, event);
    type.firstChild.title = "This message in Kafka UI";
  }
  if (isTest) {
    fill(order, undefined);
  } else {
    fillOrder(order, String(data.order_id ?? event.subject));
  }
  fill(customer, isTest ? data.message : data.customer_name);
  fill(item, data.item);
  fill(price, data.unit_price);
  fill(quantity, data.quantity);
  fill(status, data.status);
  time.firstChild.dateTime = event.time ?? "";
  time.firstChild.textContent = ago(row.eventTime, now);
  return row;
}

function fill(cell, value) {
  cell.textContent = value ?? "–";
  if (value === undefined || value === null) {
    cell.classList.add("none");
  }
}

function fillOrder(cell, id) {
  const [button, link] = cell.children;
  button.dataset.copy = id;
  labelOrder(button);
  if (link) {
    link.href = orderUrl(messages, id);
    link.title = "All messages of this order in Kafka UI";
    link.setAttribute("aria-label", `${button.textContent}: all messages of this order in Kafka UI`);
  }
}

/** Give an id's button its ordinary text, for the eye and for screen readers. */
function labelOrder(button) {
  const id = button.dataset.copy;
  button.textContent = id.length > 14 ? shortId(id) : id;
  button.setAttribute("aria-label", `${button.textContent}: copy order ID`);
}

/** Return both ends of an id: a UUID v7 begins with its time, alike for orders of one minute; its end is random. */
function shortId(id) {
  return `${id.slice(0, 8)}…${id.slice(-4)}`;
}

/** Give a cell that is cut off or shortened its full text as a tooltip. */
function explain(target) {
  const cell = target.closest("td");
  if (!cell || cell.title) {
    return;
  }
  const time = cell.querySelector("time");
  const button = cell.querySelector("button");
  if (time) {
    cell.title = exact(time.dateTime);
  } else if (button) {
    cell.title = `${button.dataset.copy} – click to copy`;
  } else {
    cell.title = cell.textContent;
  }
}

function exact(text) {
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? text : `${new Date(moment).toLocaleString()} (${text})`;
}

/** Describe how long ago a moment was. moment, now: milliseconds. */
export function ago(moment, now) {
  if (Number.isNaN(moment)) {
    return "–";
  }
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 2) {
    return "just now";
  }
  if (seconds < 60) {
    return `${seconds} s ago`;
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ago`;
  }
  if (seconds < 86400) {
    return `${Math.floor(seconds / 3600)} h ago`;
  }
  return `${Math.floor(seconds / 86400)} d ago`;
}

/** Copy a button's id. The clipboard may be forbidden, or absent without https. */
async function copy(button) {
  if (!button) {
    return;
  }
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    button.textContent = button.dataset.copy; // without a clipboard, the full id is shown to be selected
    return;
  }
  button.textContent = "copied";
  button.setAttribute("aria-label", "Order ID copied");
  setTimeout(() => labelOrder(button), COPIED_MS);
}
