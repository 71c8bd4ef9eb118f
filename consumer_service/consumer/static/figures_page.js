// The figures: what the orders add up to, as charts and as tables. They come over the browser's one stream, which this page
// keeps open for the other tabs when it is its turn, events included.

import { Bars } from "./bars.js";
import { Columns } from "./columns.js";
import { describeState } from "./connection_state.js";
import { Numbers } from "./numbers.js";
import { formatAge, formatCount, formatMinute, formatMoney, formatSecond, formatShort } from "./number_format.js";
import { ServerClock } from "./server_clock.js";
import { SharedStream } from "./shared_stream.js";
import { readStats } from "./stats.js";
import { setText } from "./text.js";

// They come every 10 s at least, and later when the projector is busy.
const OLD_AFTER_MS = 25_000;
// Where only older ones have come for so long, a clock was set back, or the database restored (consumer/ring/stats.py).
const OUTDATED_MS = 30_000;
// A page that was hidden for long asks for figures anew when it is seen again.
const COMING_MS = 5_000;
const LIVE = "Figures are shown as they come.";
const LABEL_EVERY = 15; // minutes
const LIFECYCLE = ["placed", "confirmed", "shipped", "delivered", "cancelled"];

const byId = (id) => document.getElementById(id);
const clock = new ServerClock();
const charts = {
  orders: new Columns(byId("orders-chart"), { format: formatShort, isWhole: true }),
  revenue: new Columns(byId("revenue-chart"), { format: formatShort }),
  statuses: new Bars(byId("statuses-chart")),
  items: new Bars(byId("items-chart")),
};
const tables = Object.fromEntries(Object.keys(charts).map((name) => [name, new Numbers(byId(`${name}-numbers`))]));
let shown = null;
let shownAt = -Infinity;
let seenAt = -Infinity;
let isDrawn = true;

const stream = new SharedStream("/stream", document.body.dataset.position, {
  state(name, data = {}) {
    byId("connection").dataset.state = name;
    setText(byId("connection-word"), name);
    setText(byId("connection-note"), name === "live" ? LIVE : describeState(name, data));
  },
  stats: receive,
  time: (text, heardAt) => clock.hear(text, heardAt),
  event() {},
  gap() {},
  begin() {},
});

/**
 * Take figures; older ones never replace newer ones, whichever replica, or tab, they come from. The tab with the
 * connection may send again those that are shown: they are no sign that any come.
 */
function receive(text) {
  const stats = readStats(text);
  const now = performance.now();
  if (!stats || stats.time === shown?.time || (shown && stats.time < shown.time && now - shownAt < OUTDATED_MS)) {
    return;
  }
  shown = stats;
  shownAt = now;
  isDrawn = false;
  if (!document.hidden) {
    draw();
  }
}

function draw() {
  if (isDrawn) {
    return;
  }
  isDrawn = true;
  byId("charts").hidden = false;
  byId("empty").hidden = true;
  drawTotals(shown);
  drawMinutes(shown.minutes);
  drawStatuses(shown);
  drawItems(shown.items);
  showAge();
}

function drawTotals({ orders, events, revenue, minutes }) {
  setText(byId("orders"), formatCount(orders));
  setText(byId("events"), `${formatCount(events)} ${events === 1 ? "event" : "events"} counted`);
  setText(byId("revenue"), formatMoney(revenue));
  setText(byId("hour"), formatCount(minutes.reduce((sum, each) => sum + (each.orders ?? 0), 0)));
}

function drawMinutes(minutes) {
  const points = minutes.map(({ at, orders, events, revenue }) => ({
    label: labelOf(at),
    title: formatMinute(at),
    orders: { value: orders, lines: [counted(orders, "order"), counted(events, "event")] },
    revenue: { value: revenue === null ? null : Number(revenue), lines: ["Revenue", formatMoney(revenue)] },
  }));
  for (const name of ["orders", "revenue"]) {
    charts[name].draw(
      points.map(({ label, title, [name]: { value, lines } }) => ({
        label,
        title,
        value,
        lines,
        text: lines.join(", "),
      })),
    );
  }
  const newest = [...minutes].reverse();
  tables.orders.draw(newest.map((each) => [formatMinute(each.at), formatCount(each.orders), formatCount(each.events)]));
  tables.revenue.draw(newest.map((each) => [formatMinute(each.at), formatMoney(each.revenue)]));
  describe("orders", minutes, (each) => each.orders, formatCount);
  describe(
    "revenue",
    minutes,
    (each) => (each.revenue === null ? null : Number(each.revenue)),
    (value) => formatMoney(value === null ? null : value.toFixed(2)),
  );
}

/** Say in a sentence what the columns show. */
function describe(name, minutes, valueOf, format) {
  const values = minutes.map(valueOf).filter((value) => value !== null);
  const most = values.length ? Math.max(...values) : null;
  setText(byId(`${name}-note`), `at most ${format(most)}, now ${format(values.at(-1) ?? null)}`);
}

function labelOf(at) {
  return new Date(at).getMinutes() % LABEL_EVERY ? "" : formatMinute(at);
}

function counted(number, noun) {
  return `${formatCount(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** Return where a status comes in the life of an order; one that is not known comes last. */
function placeOf({ name }) {
  return LIFECYCLE.indexOf(name) + 1 || LIFECYCLE.length + 1;
}

function drawStatuses({ statuses: found, orders: all }) {
  const statuses = [...found].sort((a, b) => placeOf(a) - placeOf(b));
  charts.statuses.draw(
    statuses.map(({ name, orders }) => ({
      name,
      value: orders,
      text: formatCount(orders),
      more: `${counted(orders, "order")}, ${share(orders, all)} of all`,
      kind: `is-${name}`,
    })),
  );
  tables.statuses.draw(statuses.map(({ name, orders }) => [name, formatCount(orders), share(orders, all)]));
}

function drawItems(items) {
  charts.items.draw(
    items.map(({ name, orders, quantity, revenue }) => ({
      name,
      value: revenue === null ? null : Number(revenue),
      text: formatMoney(revenue),
      more: `${counted(orders, "order")}, ${counted(quantity, "piece")}, ${formatMoney(revenue)}`,
    })),
  );
  tables.items.draw(
    items.map(({ name, orders, quantity, revenue }) => [
      name,
      formatCount(orders),
      formatCount(quantity),
      formatMoney(revenue),
    ]),
  );
}

function share(part, all) {
  return (part !== null && all ? part / all : 0).toLocaleString(undefined, {
    style: "percent",
    maximumFractionDigits: 1,
  });
}

/** Return how old figures are. Those that were dated into the future are at least as old as they have been here. */
function ageOf({ time }) {
  return Math.max(clock.now() - time, performance.now() - shownAt);
}

function isOld(stats) {
  return ageOf(stats) > OLD_AFTER_MS;
}

/** Show of which moment the figures are, and whether newer ones should have come. */
function showAge() {
  if (!shown) {
    return;
  }
  const time = formatSecond(shown.time);
  setText(byId("as-of"), time);
  setText(byId("age"), isOld(shown) ? `${formatAge(ageOf(shown))} old` : "up to date");
  byId("as-of").dataset.state = isOld(shown) ? "old" : "new";
  const isOutdated = isOld(shown) && performance.now() - seenAt >= COMING_MS;
  // Without the age: screen readers announce each change.
  setText(
    byId("outdated-text"),
    isOutdated ? `No newer figures come: these are as of ${time}. Events are shown as ever.` : "",
  );
  byId("outdated").hidden = !isOutdated;
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    seenAt = performance.now();
    draw();
    showAge();
  }
});
setInterval(() => document.hidden || showAge(), 1_000);
clock.hear(document.body.dataset.time, Date.now());
if (document.body.dataset.stats) {
  receive(document.body.dataset.stats);
}
stream.start();
