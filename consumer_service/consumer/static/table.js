// The rows: newest on top, at most MOST of them, each event once. Server data is set as text only.

export const MOST = 1000;

const COLUMNS = [
  ["Type", "c-type"], ["Order ID", "c-order"], ["Customer", "c-customer"], ["Item", "c-item"],
  ["Unit price", "c-price number"], ["Quantity", "c-quantity number"], ["Status", "c-status"], ["Time", "c-time"],
];
const FLASH_MOST = 25;

export class Table {
  #body; #ids = new Set();

  constructor(body) {
    this.#body = body;
    body.addEventListener("click", (click) => copy(click.target.closest("button[data-copy]")));
  }

  get size() { return this.#body.rows.length; }

  // Newest last, as they came.
  addNewest(events) {
    const rows = this.#rowsOf(events.slice(-MOST));
    if (rows.length <= FLASH_MOST) for (const row of rows) row.className = "new";
    this.#body.prepend(...rows.reverse());
    while (this.size > MOST) this.#drop(this.#body.lastElementChild);
  }

  // Newest first, below what is there; says how many were new.
  addOlder(events) {
    const rows = this.#rowsOf(events).slice(0, MOST - this.size);
    this.#body.append(...rows);
    return rows.length;
  }

  clear() {
    this.#body.replaceChildren();
    this.#ids.clear();
  }

  // Relative times grow old: only what changed is touched.
  refreshTimes(now) {
    for (const row of this.#body.rows) {
      const cell = row.lastElementChild.lastElementChild;
      const text = ago(row.eventTime, now);
      if (cell.firstChild.data !== text) cell.firstChild.data = text;
    }
  }

  #rowsOf(events) {
    const rows = [];
    for (const event of events) {
      if (this.#ids.has(event.id)) continue;
      this.#ids.add(event.id);
      rows.push(rowOf(event));
    }
    return rows;
  }

  #drop(row) {
    this.#ids.delete(row.eventId);
    row.remove();
  }
}

function rowOf(event) {
  const data = event.data ?? {};
  const row = document.createElement("tr");
  row.setAttribute("role", "row");
  row.eventId = event.id;
  row.eventTime = Date.parse(event.time);
  const isTest = event.type === "test.event";
  const contents = [
    chip(event.type, isTest), isTest ? "–" : copyButton(String(data.order_id ?? event.subject)),
    isTest ? data.message : data.customer_name, data.item, data.unit_price, data.quantity,
    data.status, timeOf(event),
  ];
  contents.forEach((content, index) => row.append(cellOf(content, ...COLUMNS[index])));
  return row;
}

function cellOf(content, label, names) {
  const cell = document.createElement("td");
  cell.setAttribute("role", "cell");
  cell.className = names;
  cell.dataset.label = label;
  if (content instanceof Node) cell.append(content);
  else cell.textContent = content ?? "–";
  if (content === undefined || content === null || content === "–") cell.classList.add("none");
  else if (typeof content === "string") cell.title = content;
  return cell;
}

function chip(type, isTest) {
  const element = document.createElement("span");
  element.className = isTest ? "chip test" : "chip";
  element.textContent = type;
  return element;
}

function copyButton(id) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "id";
  button.dataset.copy = id;
  button.title = `${id} – click to copy`;
  button.setAttribute("aria-label", `Copy order ID ${id}`);
  button.textContent = id.length > 14 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
  return button;
}

function timeOf(event) {
  const element = document.createElement("time");
  const moment = Date.parse(event.time);
  element.dateTime = event.time ?? "";
  element.title = Number.isNaN(moment) ? "" : `${new Date(moment).toLocaleString()} (${event.time})`;
  element.textContent = ago(moment, Date.now());
  return element;
}

export function ago(moment, now) {
  if (Number.isNaN(moment)) return "–";
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

async function copy(button) {
  if (!button) return;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
  } catch {
    button.textContent = button.dataset.copy; // no clipboard here: show it whole, to be selected
    return;
  }
  setTimeout(() => { button.textContent = label; }, 1200);
}
