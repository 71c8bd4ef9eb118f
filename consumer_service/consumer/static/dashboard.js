// Puts the page together: stream -> queue -> figures and rows, once per frame.

import { Deduplicator } from "./deduplicator.js";
import { Figures, inWords } from "./figures.js";
import { gapInWords } from "./gaps.js";
import { History } from "./history.js";
import { Stream } from "./stream.js";
import { ago, MOST, Table } from "./table.js";

const OPENS_WITH = 99;
const HISTORY_PAGE = 100;
const BUSY_FRAME_MS = 100; // under load the rows are renewed ten times a second: nobody reads faster…
const SHARE = 3; // …and less often where drawing is slow: it may take about a third of the time

const NOTES = {
  connecting: "Waiting for the first word from the server.",
  live: "Every event is shown as it comes.",
  reconnecting: "No word from the server. The page keeps trying and will show what it missed.",
  stale: "The server is there, but cannot tell whether Kafka has more. Rows may be behind.",
  busy: "The server has as many viewers as it can take. The page keeps trying.",
};

const element = (id) => document.getElementById(id);
const [count, rate, latency, latencyNote, last, lastNote, shown, answer, historyButton] = [
  "count",
  "rate",
  "latency",
  "latency-note",
  "last",
  "last-note",
  "shown",
  "answer",
  "history",
].map(element);

const table = new Table(element("rows"));
const figures = new Figures();
const deduplicator = new Deduplicator();
const history = new History("/events", document.body.dataset.position);
let queue = [];
let lastEvent = null;
let renderAgainAt = 0;
let isFrameDue = false;
let isLoaded = false;

const stream = new Stream("/stream", document.body.dataset.position, {
  state: showState,
  event: receive,
  gap(data) {
    element("notice-text").textContent = gapInWords(data);
    element("notice").hidden = false;
  },
});

function showState(word) {
  element("connection").dataset.state = word;
  setText(element("connection-word"), word);
  setText(element("connection-note"), NOTES[word] ?? "");
  if (!table.size) {
    showEmpty();
  }
}

function receive(text) {
  const event = read(text);
  if (!event || deduplicator.isDuplicate(event)) {
    return;
  }
  figures.received(1, Date.now());
  lastEvent = event;
  queue.push(event);
  if (queue.length > 2 * MOST) {
    queue = queue.slice(-MOST); // a hidden page draws nothing: keep what it could show
  }
  askForFrame();
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    console.error("an event that is not JSON", error);
    return null;
  }
}

function askForFrame() {
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
    renderAgainAt = began + Math.max(BUSY_FRAME_MS, SHARE * (performance.now() - began));
  });
  renderAgainAt = began + BUSY_FRAME_MS;
  const events = queue;
  queue = [];
  table.addNewest(events);
  const now = Date.now();
  for (const event of events) {
    const placed = event.type === "order.placed" ? Date.parse(event.data.placed_at ?? event.time) : NaN;
    if (!Number.isNaN(placed)) {
      figures.shown(now - placed, now);
    }
  }
  setText(count, figures.count.toLocaleString());
  if (!table.size) {
    showEmpty();
  }
  showTable();
  showLast(now);
}

function showTable() {
  element("empty").hidden = table.size > 0;
  setText(
    shown,
    table.size ? `${table.size.toLocaleString()} ${table.size === 1 ? "row" : "rows"}, newest first` : "No rows",
  );
  const isFull = table.size >= MOST;
  historyButton.disabled = isFull || history.isComplete;
  historyButton.title = whyNoHistory(isFull);
}

function whyNoHistory(isFull) {
  if (isFull) {
    return `The table holds ${MOST.toLocaleString()} rows. Clear it to look back again.`;
  }
  return history.isComplete ? "This is the beginning of the topic." : "";
}

function showEmpty() {
  const [title, text] = emptyWords();
  setText(element("empty-title"), title);
  setText(element("empty-text"), text);
}

function emptyWords() {
  if (isLoaded) {
    return [
      "No events to show",
      "Place an order, or send a test event: it appears here at once. Load history brings back what was there before.",
    ];
  }
  if (element("connection").dataset.state === "reconnecting") {
    return [
      "No connection to the server",
      "The page keeps trying. If this lasts, see whether the consumer is running.",
    ];
  }
  return ["Loading the latest events…", ""];
}

function showLast(now) {
  if (!lastEvent) {
    return;
  }
  setText(last, ago(Date.parse(lastEvent.time), now));
  const what = lastEvent.data?.item ? `${lastEvent.type} · ${lastEvent.data.item}` : lastEvent.type;
  setText(lastNote, what);
}

function showFigures() {
  if (document.hidden) {
    return;
  }
  const now = Date.now();
  const perSecond = figures.rate(now);
  setText(
    rate,
    perSecond >= 10 || Number.isInteger(perSecond) ? Math.round(perSecond).toLocaleString() : perSecond.toFixed(1),
  );
  const late = figures.latency(now);
  setText(latency, late ? inWords(late.p50) : "–");
  setText(latencyNote, late ? `p50, last minute; p95 ${inWords(late.p95)}` : "p50, last minute");
  showLast(now);
  table.refreshTimes(now);
}

function setText(target, text) {
  if (target.textContent !== text) {
    target.textContent = text;
  }
}

async function loadHistory(limit, saysSo) {
  historyButton.disabled = true;
  try {
    const added = await history.load(limit, (events) => table.addOlder(events));
    if (saysSo) {
      say(added ? `${added} older ${added === 1 ? "event" : "events"} loaded.` : "There is nothing older.");
    }
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

function say(text) {
  setText(answer, text);
}

element("clear").addEventListener("click", () => {
  queue = [];
  table.clear();
  history.beginAt(stream.position);
  say("Table cleared.");
  showEmpty();
  showTable();
});
historyButton.addEventListener("click", () => loadHistory(HISTORY_PAGE, true));
element("test").addEventListener("click", sendTestEvent);
element("notice-close").addEventListener("click", () => {
  element("notice").hidden = true;
});
document.addEventListener("visibilitychange", () => {
  isFrameDue = false;
  askForFrame();
  showFigures();
});

setInterval(showFigures, 1_000);
stream.start();
loadHistory(OPENS_WITH, false);
