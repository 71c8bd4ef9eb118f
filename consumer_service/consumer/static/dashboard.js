// The dashboard: events go from the stream into a queue, and once per frame from there into figures and rows.

import { describeState } from "./connection_state.js";
import { Deduplicator } from "./deduplicator.js";
import { parse } from "./events.js";
import { Figures, formatDuration } from "./figures.js";
import { describeGap } from "./gaps.js";
import { History } from "./history.js";
import { PastView } from "./past_view.js";
import { Past } from "./past.js";
import { ServerClock } from "./server_clock.js";
import { SharedStream } from "./shared_stream.js";
import { Sparkline } from "./sparkline.js";
import { ago, MAX_ROWS, Table } from "./table.js";
import { setText } from "./text.js";
import { describeLatencies, describeRates, Trends } from "./trends.js";

const FIRST_PAGE = 99;
const HISTORY_PAGE = 100;
// Under load the rows are drawn ten times a second, as nobody reads faster, and less often where drawing is slow: it
// may take about a third of the time.
const MIN_FRAME_MS = 100;
const FRAME_FACTOR = 3;

const byId = (id) => document.getElementById(id);
const [count, rate, latency, latencyNote, last, lastNote, shown, message, historyButton] = [
  "count",
  "rate",
  "latency",
  "latency-note",
  "last",
  "last-note",
  "shown",
  "message",
  "history",
].map(byId);

const figures = new Figures();
const deduplicator = new Deduplicator();
const clock = new ServerClock();
const table = new Table(byId("rows"), () => clock.now());
const history = new History("/events", document.body.dataset.position, clock);
const trends = new Trends();
const rateLine = new Sparkline(byId("rate-line"), describeRates);
const latencyLine = new Sparkline(byId("latency-line"), (values) => describeLatencies(values, formatDuration));
let missed = null; // the gap that the notice is about, if what was missed can be shown
let queue = [];
let isQueueCut = false;
let unread = { position: "", events: [] }; // what has come since the stream's position moved: no history has it yet
let lastEvent = null;
let renderAgainAt = 0;
let isFrameDue = false;
let isLoaded = false;

const stream = new SharedStream("/stream", document.body.dataset.position, {
  state: showState,
  event: receive,
  time: (text, heardAt) => clock.hear(text, heardAt),
  gap(data) {
    if (data.reason === "recreated") {
      deduplicator.forget(); // Kafka begins anew: an order's earlier versions may come after later ones
    }
    byId("notice-text").textContent = describeGap(data);
    byId("notice").hidden = false;
    if (data.reason === "overflow" && data.from) {
      missed = { from: missed?.from ?? data.from, to: data.to }; // any other gap is about what Kafka has lost
    } else if (data.reason === "recreated") {
      missed = null;
    }
    showPast();
  },
  begin(position) {
    if (!document.body.dataset.position) {
      // The page was rendered before the consumer had read the topic. History loaded without a position could end
      // before the place where the stream begins, and what lies between would be missing.
      history.startAt(position);
      loadHistory(FIRST_PAGE, false);
    }
  },
});
const past = new PastView(new Past("/stream"), table, {
  say,
  changed: showPast,
  arrived: requestFrame,
  live: goLive,
  until: () => stream.position,
  reached() {
    missed = null;
    byId("notice").hidden = true;
  },
});

function showState(name, data = {}) {
  byId("connection").dataset.state = name;
  setText(byId("connection-word"), name);
  setText(byId("connection-note"), describeState(name, data));
  if (!table.size) {
    showEmpty();
  }
}

function receive(text) {
  const event = parse(text);
  if (!event || deduplicator.isDuplicate(event)) {
    return;
  }
  const now = clock.now();
  figures.addEvent(now);
  trends.addEvent(now);
  // Measured when the event arrives: in a hidden tab it is drawn much later.
  const placed = event.type === "order.placed" ? Date.parse(event.data.placed_at ?? event.time) : NaN;
  if (!Number.isNaN(placed)) {
    const latencyMs = Math.max(0, now - placed); // the clocks may differ by a few milliseconds
    figures.addLatency(latencyMs, now);
    trends.addLatency(latencyMs, now);
  }
  lastEvent = event;
  queue.push(event);
  if (queue.length > 2 * MAX_ROWS) {
    queue = queue.slice(-MAX_ROWS); // a hidden page draws nothing: keep as many as it could show
    isQueueCut = true;
  }
  if (unread.position !== stream.position) {
    unread = { position: stream.position, events: [] };
  }
  if (unread.events.length < MAX_ROWS) {
    unread.events.push(event);
  }
  requestFrame();
}

function requestFrame() {
  if (isFrameDue || document.hidden) {
    return;
  }
  isFrameDue = true;
  setTimeout(() => requestAnimationFrame(render), Math.max(0, renderAgainAt - performance.now()));
}

function render() {
  isFrameDue = false;
  const began = performance.now();
  requestAnimationFrame(() => {
    renderAgainAt = began + Math.max(MIN_FRAME_MS, FRAME_FACTOR * (performance.now() - began));
  });
  renderAgainAt = began + MIN_FRAME_MS;
  if (past.isOpen) {
    past.draw();
  } else if (isQueueCut && table.isOfOrders) {
    showTheNewest(); // an order may have moved on in what was cut off
  } else {
    const events = queue;
    queue = [];
    table.addNewest(events);
  }
  setText(count, figures.count.toLocaleString());
  if (!table.size) {
    showEmpty();
  }
  showTable();
  showLast(clock.now());
}

function showTable() {
  byId("empty").hidden = table.size > 0;
  setText(
    shown,
    table.size ? `${table.size.toLocaleString()} ${table.size === 1 ? "row" : "rows"}, newest first` : "No rows",
  );
  const isFull = table.size >= MAX_ROWS;
  historyButton.disabled = isFull || history.isComplete || past.isOpen;
  historyButton.title = whyHistoryIsDisabled(isFull);
}

/** Explain why no history can be loaded; "" if it can. */
function whyHistoryIsDisabled(isFull) {
  if (past.isOpen) {
    return "The table shows the past. Go back to live to load older events.";
  }
  if (isFull) {
    return `The table holds ${MAX_ROWS.toLocaleString()} rows at most. Clear it to load older events.`;
  }
  return history.isComplete ? "This is the beginning of the topic." : "";
}

function showEmpty() {
  const [title, text] = emptyState();
  setText(byId("empty-title"), title);
  setText(byId("empty-text"), text);
}

/** Return the title and the text to show instead of rows. */
function emptyState() {
  if (past.isOpen) {
    return ["No events to show", "Choose another time, or go back to live."];
  }
  if (isLoaded) {
    return [
      "No events to show",
      "Place an order or send a test event, and it appears here at once. Load history shows earlier events.",
    ];
  }
  if (byId("connection").dataset.state === "reconnecting") {
    return ["No connection to the server", "The page keeps trying. If this lasts, check that the consumer is running."];
  }
  return ["Loading the latest events…", ""];
}

function showLast(now) {
  if (!lastEvent) {
    return;
  }
  setText(last, ago(Date.parse(lastEvent.time), now));
  setText(lastNote, lastEvent.data?.item ? `${lastEvent.type} · ${lastEvent.data.item}` : lastEvent.type);
}

function showFigures() {
  if (document.hidden) {
    return;
  }
  const now = clock.now();
  const perSecond = figures.rate(now);
  setText(
    rate,
    perSecond >= 10 || Number.isInteger(perSecond) ? Math.round(perSecond).toLocaleString() : perSecond.toFixed(1),
  );
  const percentiles = figures.latency(now);
  setText(latency, percentiles ? formatDuration(percentiles.p50) : "–");
  setText(latencyNote, percentiles ? `p50, last minute; p95 ${formatDuration(percentiles.p95)}` : "p50, last minute");
  rateLine.draw(trends.rates(now));
  latencyLine.draw(trends.latencies(now));
  showLast(now);
  table.refreshTimes(now);
}

/** Load a page of history. announce: whether to tell how many events were loaded. */
async function loadHistory(limit, announce) {
  historyButton.disabled = true;
  try {
    const added = await history.load(limit, (events) => table.addOlder(events));
    say(announce ? describeLoaded(added) : ""); // "" also takes back that it could not be loaded
    lastEvent ??= history.newest;
    isLoaded = true;
  } catch (error) {
    say(`History could not be loaded: ${error.message}`);
    if (!isLoaded) {
      setTimeout(() => loadHistory(limit, false), 3_000);
    }
  }
  showEmpty();
  showTable();
}

function describeLoaded(added) {
  if (added) {
    return `${added} older ${added === 1 ? "event" : "events"} loaded.`;
  }
  return history.isComplete ? "There are no older events." : "No older events yet. Load history again to look further.";
}

async function sendTestEvent(click) {
  const button = click.currentTarget;
  button.disabled = true;
  try {
    const response = await fetch("/test-event", { method: "POST", signal: AbortSignal.timeout(10_000) });
    say(response.ok ? "Test event sent through Kafka." : (await response.json()).detail);
  } catch (error) {
    say(`The test event could not be sent: ${error.message}`);
  }
  setTimeout(() => {
    button.disabled = false;
  }, 1_000);
}

/** Show which of the buttons about the past can be used now. */
function showPast() {
  byId("past-more").hidden = !past.hasMore;
  byId("past-close").hidden = !past.isOpen;
  byId("notice-show").hidden = !missed || past.isOpen;
  setText(byId("table-note"), past.isOpen ? "The table shows the past." : "");
  showEmpty();
  showTable();
}

/** Fill the table as a page that has just been opened does. */
function showTheNewest() {
  past.close();
  table.clear();
  history.startAt(stream.position);
  queue = unread.position === stream.position ? [...unread.events] : [];
  isQueueCut = false;
  loadHistory(FIRST_PAGE, false);
  requestFrame();
}

/** Go on below what was shown of the past with what has arrived meanwhile. */
function goLive() {
  history.startAt(stream.position);
  requestFrame();
}

function showFrom() {
  const time = new Date(byId("from").value);
  if (Number.isNaN(time.getTime())) {
    say("Choose a day and a time first.");
    byId("from").focus();
    return;
  }
  history.startAt(stream.position); // a page that is on its way would come below
  past.showFrom(time);
}

/** Show a message beside the buttons; screen readers announce it. */
function say(text) {
  setText(message, text);
}

byId("clear").addEventListener("click", () => {
  past.close();
  queue = [];
  table.clear();
  history.startAt(stream.position);
  say("Table cleared.");
  showEmpty();
  showTable();
});
historyButton.addEventListener("click", () => loadHistory(HISTORY_PAGE, true));
byId("test").addEventListener("click", sendTestEvent);
byId("by-order").addEventListener("change", ({ currentTarget }) => {
  table.clear();
  table.isOfOrders = currentTarget.checked;
  showTheNewest();
});
byId("from-show").addEventListener("click", showFrom);
byId("from").addEventListener("keydown", (press) => press.key === "Enter" && showFrom());
byId("past-more").addEventListener("click", () => past.showMore());
byId("past-close").addEventListener("click", showTheNewest);
byId("notice-show").addEventListener("click", () => past.showMissed(missed));
byId("notice-close").addEventListener("click", () => {
  byId("notice").hidden = true;
});
document.addEventListener("visibilitychange", () => {
  isFrameDue = false;
  requestFrame();
  showFigures();
});

setInterval(showFigures, 1_000);
stream.start();
if (document.body.dataset.position) {
  loadHistory(FIRST_PAGE, false);
}
