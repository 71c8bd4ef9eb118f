import assert from "node:assert/strict";
import test from "node:test";
import { held, unreachable } from "../fakes/network.js";
import { Page } from "../fakes/page.js";

const SCRIPT = new URL("../../../consumer_service/consumer/static/dashboard.js", import.meta.url);
const POSITION = "AAAAAAAAAAAAAAAAAAAAAA;0:3,1:0";
const LATER = "AAAAAAAAAAAAAAAAAAAAAA;0:9,1:0";

const event = (id, changes = {}) => ({
  id,
  type: "order.placed",
  subject: `order-${id}`,
  time: "2026-11-22T13:59:50Z",
  data: { item: "Mug", version: 1, placed_at: "2026-11-22T13:59:50Z" },
  ...changes,
});
const pageOf = (before, ...events) => ({ json: { events, before } });
const many = (count, from = 0) => Array.from({ length: count }, (_, number) => event(`${from + number}`));

/** Open the dashboard; answers: what `/events` is answered with. */
async function open(...answers) {
  const page = new Page("dashboard");
  page.server.answer(...(answers.length ? answers : [pageOf("c")]));
  await page.run(SCRIPT);
  return page;
}

async function receive(page, ...events) {
  events.forEach((each) => page.source.send("message", each));
  await page.clock.advance(200);
}

const shownIds = (page) => page.$("rows").rows.map((row) => row.eventId);
const queries = (page) =>
  page.server.requests.map(({ url }) => Object.fromEntries(new URL(url, "http://a").searchParams));

test("the page opens with the 99 newest events before its position, and follows the stream from there", async () => {
  const page = await open(pageOf("c", event("2"), event("1")));
  assert.deepEqual(queries(page), [{ limit: "99", before: POSITION }]);
  assert.match(page.server.last.url, /^\/events\?/);
  assert.equal(page.source.url, `/stream?from=${encodeURIComponent(POSITION)}`);
  assert.deepEqual(shownIds(page), ["2", "1"]);
  assert.deepEqual([page.text("shown"), page.text("message")], ["2 rows, newest first", ""]);
  await page.clock.advance(1_000);
  assert.deepEqual([page.text("last"), page.text("last-note")], ["11 s ago", "order.placed · Mug"]);
  assert.equal(page.text("count"), "0"); // since this page opened
});

test("without a position, history is loaded once the stream has begun, before that place", async () => {
  const page = new Page("dashboard", { change: (html) => html.replace(POSITION, "") });
  page.server.answer(pageOf("c", event("1")));
  await page.run(SCRIPT);
  assert.deepEqual([page.server.requests.length, page.source.url], [0, "/stream"]);
  page.source.send("status", { state: "live" }, LATER);
  page.source.send("status", { state: "live" }, "AAAAAAAAAAAAAAAAAAAAAA;0:99,1:0");
  await page.clock.advance(100);
  assert.deepEqual(queries(page), [{ limit: "99", before: LATER }]);
});

test("an event is a row on top, and counted", async () => {
  const page = await open(pageOf("c", event("1")));
  await receive(page, event("2"), event("3", { type: "order.shipped", data: { version: 3 } }));
  assert.deepEqual(shownIds(page), ["3", "2", "1"]);
  assert.deepEqual([page.text("count"), page.text("shown")], ["2", "3 rows, newest first"]);
  assert.deepEqual([page.text("last"), page.text("last-note")], ["10 s ago", "order.shipped"]);
});

test("a repeated event is neither shown nor counted", async () => {
  const page = await open();
  await receive(page, event("1"), event("1"), event("1 again", { subject: "order-1" }));
  assert.deepEqual([shownIds(page), page.text("count")], [["1"], "1"]);
});

test("what is not JSON is skipped", async () => {
  const logged = [];
  console.error = (text) => logged.push(text);
  const page = await open();
  await receive(page, "{", event("1"));
  assert.deepEqual([shownIds(page), page.text("count"), logged.length], [["1"], "1", 1]);
});

test("a gap is told, until it is dismissed, and the next one is told again", async () => {
  const page = await open();
  assert.equal(page.$("notice").hidden, true);
  page.source.send("gap", { reason: "overflow", lost: { 0: [1, 4] } }, LATER);
  assert.equal(page.$("notice").hidden, false);
  assert.match(page.text("notice-text"), /^3 events were skipped/);
  await page.click(page.$("notice-close"));
  assert.equal(page.$("notice").hidden, true);
  page.source.send("gap", { reason: "expired", lost: { 0: [1, 2] } }, LATER);
  assert.equal(page.$("notice").hidden, false);
  assert.match(page.text("notice-text"), /^1 event was missed/);
});

test("only after a new beginning of the topic may an earlier version come again", async () => {
  const page = await open();
  const [second, first] = [event("b", { subject: "o", data: { version: 2 } }), event("a", { subject: "o" })];
  await receive(page, second, first);
  page.source.send("gap", { reason: "overflow", lost: {} });
  await receive(page, first);
  assert.deepEqual(shownIds(page), ["b"]);
  page.source.send("gap", { reason: "recreated", lost: {} });
  await receive(page, first);
  assert.deepEqual(shownIds(page), ["a", "b"]);
});

for (const [name, block, note] of [
  ["live", ["status", { state: "live" }], "Every event is shown as it arrives."],
  ["stale", ["status", { state: "stale" }], "The server is running, but cannot tell whether Kafka has newer events."],
  ["busy", ["busy", { reason: "streams" }], "The server has reached its limit of viewers. The page keeps trying."],
  [
    "reconnecting",
    ["busy", { reason: "gateway" }],
    "No contact with the server. The page keeps trying and will show the events that it missed.",
  ],
]) {
  test(`the connection is ${name} in a word, a colour and a sentence`, async () => {
    const page = await open();
    assert.deepEqual([page.text("connection-word"), page.$("connection").dataset.state], ["connecting", "connecting"]);
    assert.equal(page.text("connection-note"), "Waiting for the server.");
    page.source.send(...block);
    assert.deepEqual([page.text("connection-word"), page.$("connection").dataset.state], [name, name]);
    assert.equal(page.text("connection-note"), note);
  });
}

test("what is shown instead of rows says what to do", async () => {
  const [late, release] = held();
  const page = await open(late);
  assert.equal(page.text("empty-title"), "Loading the latest events…");
  page.source.fail(false);
  assert.equal(page.text("empty-title"), "No connection to the server");
  assert.equal(page.text("empty-text"), "The page keeps trying. If this lasts, check that the consumer is running.");
  page.source.send("status", { state: "live" });
  assert.equal(page.text("empty-title"), "Loading the latest events…");
  release(pageOf(null));
  await page.clock.advance(0);
  assert.equal(page.text("empty-title"), "No events to show");
  assert.equal(
    page.text("empty-text"),
    "Place an order or send a test event, and it appears here at once. Load history shows earlier events.",
  );
  assert.deepEqual([page.$("empty").hidden, page.text("shown")], [false, "No rows"]);
  await receive(page, event("1"));
  assert.deepEqual([page.$("empty").hidden, page.text("shown")], [true, "1 row, newest first"]);
});

test("history that could not be loaded is loaded again after three seconds", async () => {
  const page = await open(unreachable, { status: 503, json: { detail: "Not yet." } }, pageOf("c", event("1")));
  assert.equal(page.text("message"), "History could not be loaded: Failed to fetch");
  await page.clock.advance(2_999);
  assert.equal(page.server.requests.length, 1);
  await page.clock.advance(1);
  assert.equal(page.text("message"), "History could not be loaded: Not yet.");
  await page.clock.advance(3_000);
  assert.deepEqual([shownIds(page), page.server.requests.length, page.text("message")], [["1"], 3, ""]);
  await page.clock.advance(30_000);
  assert.equal(page.server.requests.length, 3);
});

test("older history is loaded a hundred events at a time, and told", async () => {
  const page = await open(pageOf("c1", event("3")), pageOf("c2", event("2"), event("1")), pageOf("c3", event("0")));
  await page.click(page.$("history"));
  assert.deepEqual(queries(page)[1], { limit: "100", before: "c1" });
  assert.equal(page.text("message"), "2 older events loaded.");
  await page.click(page.$("history"));
  assert.equal(page.text("message"), "1 older event loaded.");
  assert.deepEqual(shownIds(page), ["3", "2", "1", "0"]);
});

test("a press that finds nothing new says whether there is more", async () => {
  const page = await open(pageOf("c1", event("1")), pageOf("c2"));
  await page.click(page.$("history"));
  assert.equal(page.text("message"), "No older events yet. Load history again to look further.");
  page.server.answer(pageOf(null));
  await page.click(page.$("history"));
  assert.equal(page.text("message"), "There are no older events.");
});

test("the history's button is off while it loads, at the beginning of the topic, and when the table is full", async () => {
  const [late, release] = held();
  const page = await open(late, pageOf(null));
  const button = page.$("history");
  assert.equal(button.disabled, true);
  release(pageOf("c", event("1")));
  await page.clock.advance(0);
  assert.deepEqual([button.disabled, button.title], [false, ""]);
  await page.click(button);
  assert.deepEqual([button.disabled, button.title], [true, "This is the beginning of the topic."]);
  await page.click(page.$("clear"));
  assert.deepEqual([button.disabled, button.title], [false, ""]);
  await receive(page, ...many(1000));
  assert.equal(button.disabled, true);
  assert.equal(button.title, "The table holds 1,000 rows at most. Clear it to load older events.");
});

test("clear empties the table, drops what waits, and history begins again where the stream is", async () => {
  const page = await open(pageOf("c", event("1")));
  await receive(page, event("2"));
  page.source.send("message", event("waits for its frame"), LATER);
  await page.click(page.$("clear"));
  await page.clock.advance(500);
  assert.deepEqual([shownIds(page), page.text("message"), page.$("empty").hidden], [[], "Table cleared.", false]);
  await page.click(page.$("history"));
  assert.equal(queries(page).at(-1).before, LATER);
});

test("a test event is sent once a second at most, and the answer is told", async () => {
  const [sent, refused] = [
    { status: 202, json: { id: "1" } },
    { status: 429, json: { detail: "Slower." } },
  ];
  const page = await open(pageOf("c", event("1")), sent, refused);
  const button = page.$("test");
  await page.click(button);
  assert.deepEqual([page.server.last.url, page.server.last.method], ["/test-event", "POST"]);
  assert.deepEqual([page.text("message"), button.disabled], ["Test event sent through Kafka.", true]);
  await page.clock.advance(1_000);
  assert.equal(button.disabled, false);
  await page.click(button);
  assert.equal(page.text("message"), "Slower.");
});

test("a test event that could not be sent is told", async () => {
  const page = await open(pageOf("c", event("1")), unreachable);
  await page.click(page.$("test"));
  assert.equal(page.text("message"), "The test event could not be sent: Failed to fetch");
});

test("latency is the median, with p95 beside it, of orders as they were placed", async () => {
  const page = await open();
  const placed = (id, secondsAgo) => {
    const time = new Date(page.clock.now - secondsAgo * 1000).toISOString();
    return event(id, { time, data: { placed_at: time } });
  };
  for (const [number, seconds] of [1, 1, 1, 1, 9].entries()) {
    page.source.send("message", placed(`${number}`, seconds));
  }
  page.source.send("message", event("x", { type: "order.shipped", time: "2026-11-22T10:00:00Z" }));
  await page.clock.advance(1_000);
  assert.deepEqual([page.text("latency"), page.text("latency-note")], ["1.0 s", "p50, last minute; p95 9.0 s"]);
  await page.clock.advance(61_000);
  assert.deepEqual([page.text("latency"), page.text("latency-note")], ["–", "p50, last minute"]);
});

test("latency and ages follow the server's clock", async () => {
  const page = await open({ ...pageOf("c", event("1")), headers: { Date: "Sun, 22 Nov 2026 15:00:00 GMT" } });
  assert.equal(page.$("rows").rows[0].lastElementChild.textContent, "1 h ago");
  page.source.send("message", event("2", { data: { placed_at: "2026-11-22T15:00:00Z" } }));
  await page.clock.advance(1_000);
  assert.equal(page.text("latency"), "500 ms");
});

test("the rate has a decimal only where it means something", async () => {
  const page = await open();
  const rate = async (count) => {
    await page.clock.advance(10_000);
    await receive(page, ...many(count, page.clock.now));
    await page.clock.advance(1_000);
    return page.text("rate");
  };
  assert.deepEqual([await rate(3), await rate(5), await rate(52), await rate(6_000)], ["0.6", "1", "10", "1,200"]);
  await page.clock.advance(10_000);
  assert.equal(page.text("rate"), "0");
});

test("rows are drawn ten times a second at most", async () => {
  const page = await open();
  await receive(page, event("1"));
  page.source.send("message", event("2"));
  await page.clock.advance(20);
  await receive(page, event("3"));
  assert.equal(shownIds(page).length, 3);
  const frames = [];
  for (let number = 4; number < 54; number += 1) {
    page.source.send("message", event(`${number}`));
    await page.clock.advance(10);
    frames.push(shownIds(page).length);
  }
  assert.ok(new Set(frames).size <= 6, frames.join());
});

test("what was drawn is not drawn again when it has left the table", async () => {
  const page = await open();
  await receive(page, ...many(600));
  await receive(page, ...many(600, 600));
  await receive(page, event("last"));
  const ids = shownIds(page);
  assert.deepEqual([ids[0], ids[1], ids.at(-1), ids.length], ["last", "1199", "201", 1000]);
});

test("a hidden page draws nothing, keeps a tableful, counts all, and catches up when it is seen", async () => {
  const page = await open();
  await page.hide(true);
  await receive(page, ...many(2_500));
  await page.clock.advance(5_000);
  assert.deepEqual([page.$("rows").rows.length, page.text("count")], [0, "0"]);
  await page.hide(false);
  await page.clock.advance(500);
  const ids = shownIds(page);
  assert.deepEqual([ids.length, ids[0], ids.at(-1), page.text("count")], [1000, "2499", "1500", "2,500"]);
});

test("ages grow while the page is open", async () => {
  const page = await open(pageOf("c", event("1")));
  const age = () => page.$("rows").rows[0].lastElementChild.textContent;
  assert.equal(age(), "10 s ago");
  await page.clock.advance(5_000);
  assert.deepEqual([age(), page.text("last")], ["15 s ago", "15 s ago"]);
});

const EARLIER = "AAAAAAAAAAAAAAAAAAAAAA;0:0,1:0";
const FURTHER = "AAAAAAAAAAAAAAAAAAAAAA;0:2,1:0";
const GAP = { reason: "overflow", from: POSITION, to: LATER, lost: { 0: [3, 9] } };
const timed = (id, second) => event(id, { time: `2026-11-22T13:59:${second}Z` });

test("what was missed can be shown where it belongs, and does not count as live", async () => {
  const page = await open(pageOf("c", timed("1", "10")));
  page.source.send("status", { state: "live" }, POSITION);
  page.source.send("gap", GAP, LATER);
  await receive(page, timed("9", "50"));
  assert.equal(page.$("notice-show").hidden, false);
  await page.click(page.$("notice-show"));
  const past = page.source;
  assert.equal(past.url, `/stream?from=${encodeURIComponent(POSITION)}`);
  past.send("status", { state: "live", replay: "waiting" }, POSITION);
  assert.match(page.text("message"), /in line/);
  past.send("message", timed("5", "30"), LATER);
  await page.clock.advance(200);
  assert.deepEqual(shownIds(page), ["9", "5", "1"]);
  assert.deepEqual([page.text("message"), page.text("count")], ["1 event that was missed, in order of time.", "1"]);
  assert.equal(page.$("notice").hidden, true);
});

test("what Kafka has lost is not offered to be shown", async () => {
  const page = await open(pageOf("c"));
  for (const gap of [
    { reason: "expired", from: POSITION, to: LATER, lost: {} },
    { reason: "overflow", from: null, to: LATER, lost: {} },
  ]) {
    page.source.send("gap", gap, LATER);
    assert.equal(page.$("notice-show").hidden, true);
  }
});

async function showFrom(page, value = "2026-11-22T13:00:00") {
  page.$("from").value = value;
  await page.click(page.$("from-show"));
  return page.source;
}

test("events from a time on take the place of the live ones, until they have reached them", async () => {
  const page = await open(pageOf("c", event("1")));
  const live = page.source;
  await receive(page, event("drawn before"));
  const past = await showFrom(page);
  assert.equal(past.url, `/stream?from=${encodeURIComponent(new Date("2026-11-22T13:00:00").toISOString())}`);
  assert.deepEqual([shownIds(page), page.$("past-close").hidden], [[], false]);
  past.send("status", { state: "live", replay: "reading" }, EARLIER);
  past.send("message", timed("5", "10"));
  live.send("message", timed("9", "50"));
  past.send("status", { state: "live" }, EARLIER); // after a reconnect the server has the rest at hand
  await page.clock.advance(200);
  assert.deepEqual(
    [shownIds(page), page.text("count"), page.text("table-note")],
    [["5"], "2", "The table shows the past."],
  );
  past.send("message", timed("6", "20"), POSITION);
  await page.clock.advance(200);
  assert.deepEqual(shownIds(page), ["9", "6", "5"]);
  assert.match(page.text("message"), /^2 events since .* Live again\.$/);
  assert.equal(page.$("past-close").hidden, true);
});

test("a full table shows the past page by page, and live events do not push it out", async () => {
  const page = await open(pageOf("c", event("1")));
  const live = page.source;
  const past = await showFrom(page);
  past.send("status", { state: "live", replay: "reading" }, EARLIER);
  many(990).forEach((each) => past.send("message", each));
  past.send("message", event("990"), FURTHER);
  many(20, 991).forEach((each) => past.readyState !== 2 && past.send("message", each));
  live.send("message", event("new"));
  await page.clock.advance(200);
  assert.deepEqual([page.$("rows").rows.length, shownIds(page).includes("new")], [1000, false]);
  assert.match(page.text("message"), /^1,000 events since .*, until .* New events are not shown meanwhile\.$/);
  assert.equal(page.$("past-more").hidden, false);
  await page.click(page.$("past-more"));
  assert.equal(page.source.url, `/stream?from=${encodeURIComponent(FURTHER)}`);
  assert.deepEqual(shownIds(page), []);
  many(11, 991).forEach((each) => page.source.send("message", each)); // nine of them were shown before
  await page.clock.advance(200);
  assert.deepEqual(shownIds(page), ["1001", "1000"]);
});

test("the past is drawn once a frame, not at all while the page is hidden, and does not flash", async () => {
  const page = await open(pageOf("c"));
  const past = await showFrom(page);
  await page.hide(true);
  past.send("message", timed("5", "10"));
  await page.clock.advance(1_000);
  assert.deepEqual(shownIds(page), []);
  await page.hide(false);
  past.send("message", timed("6", "20"));
  await page.clock.advance(200);
  assert.deepEqual(shownIds(page), ["6", "5"]);
  past.send("message", timed("7", "30"));
  assert.deepEqual(shownIds(page), ["6", "5"]);
  past.send("message", timed("8", "40"), POSITION);
  await page.clock.advance(200);
  assert.deepEqual(shownIds(page), ["8", "7", "6", "5"]);
  assert.deepEqual(new Set(page.$("rows").rows.map((row) => row.className)), new Set([""]));
});

test("an order's rows do not fill a table of orders before their time", async () => {
  const page = await open(pageOf("c"), pageOf("c"));
  page.$("by-order").checked = true;
  page.$("by-order").dispatch("change");
  const past = await showFrom(page);
  for (let version = 1; version <= 1_200; version += 1) {
    past.send("message", event(`${version}`, { subject: "busy", data: { version } }));
  }
  past.send("message", event("last"));
  await page.clock.advance(200);
  assert.deepEqual([shownIds(page), past.readyState], [["last", "1200"], 1]);
});

for (const leave of [(page) => page.dispatch("pagehide"), (page) => page.document.dispatch("freeze")]) {
  test(`a page that is left or put to sleep reads no past, and can be told to read on (${leave})`, async () => {
    const page = await open(pageOf("c", event("1")));
    await leave(page); // there is nothing to be ended
    const past = await showFrom(page);
    past.send("message", timed("5", "10"), EARLIER);
    await leave(page);
    assert.equal(past.readyState, 2);
    assert.match(page.text("message"), /not read to its end/);
    assert.deepEqual([page.$("past-more").hidden, page.$("past-close").hidden], [false, false]);
    await page.click(page.$("past-more"));
    assert.deepEqual([page.source === past, page.source.url], [false, past.url]);
    await leave(page);
    await leave(page);
    assert.match(page.text("message"), /not read to its end/);
  });
}

test("the history's button says why it is off while the table shows the past", async () => {
  const page = await open(pageOf("c", event("1")), pageOf("c"));
  const button = page.$("history");
  await showFrom(page);
  assert.deepEqual(
    [button.disabled, button.title],
    [true, "The table shows the past. Go back to live to load older events."],
  );
  await page.click(page.$("past-close"));
  await page.clock.advance(0);
  assert.deepEqual([button.disabled, button.title], [false, ""]);
});

test("back to live shows what a page that has just been opened shows", async () => {
  const page = await open(pageOf("c", event("1")), pageOf("c", event("2"), event("1")));
  const past = await showFrom(page);
  past.send("message", event("0"));
  await page.click(page.$("past-close"));
  await page.clock.advance(200);
  assert.equal(past.readyState, 2);
  assert.deepEqual([shownIds(page), page.$("past-close").hidden], [["2", "1"], true]);
});

test("a past that cannot be read says so, and is left by a click", async () => {
  const page = await open(pageOf("c", event("1")));
  const past = await showFrom(page);
  past.fail(true);
  assert.match(page.text("message"), /could not be read/);
  assert.equal(page.$("past-close").hidden, false);
});

test("without a time nothing happens but a hint", async () => {
  const page = await open(pageOf("c", event("1")));
  const before = page.source;
  await showFrom(page, "");
  assert.deepEqual([page.source === before, page.text("message")], [true, "Choose a day and a time first."]);
});

test("a page that receives what it has missed says so", async () => {
  const page = await open(pageOf("c"));
  page.source.send("status", { state: "live", replay: "waiting" }, POSITION);
  assert.equal(page.text("connection-note"), "In line for the events that this page has missed.");
  page.source.send("status", { state: "live", replay: "reading" }, POSITION);
  assert.equal(page.text("connection-note"), "Receiving the events that this page has missed.");
  page.source.send("status", { state: "live" }, LATER);
  assert.equal(page.text("connection-note"), "Every event is shown as it arrives.");
});

test("the last minutes are drawn, and told in a sentence", async () => {
  const page = await open(pageOf("c"));
  await receive(page, event("1"));
  await page.clock.advance(11_000);
  assert.match(page.$("rate-line").getAttribute("aria-label"), /^Events per second .* at most 0\.2/);
  assert.match(page.$("rate-line").querySelector("polyline").getAttribute("points"), /^0\.0,23\.0 /);
  assert.match(page.$("latency-line").getAttribute("aria-label"), /^From placed to shown /);
});

const step = (version, status) => ({
  ...event(`o-${version}`),
  subject: "o",
  data: { item: "Mug", version, status },
});

test("the switch shows one row per order, from the newest events on", async () => {
  const page = await open(pageOf("c", step(1, "placed")), pageOf("c", step(2, "confirmed"), step(1, "placed")));
  page.$("by-order").checked = true;
  page.$("by-order").dispatch("change");
  await page.clock.advance(200);
  assert.deepEqual(shownIds(page), ["o-2"]);
  await receive(page, step(3, "shipped"));
  assert.deepEqual(shownIds(page), ["o-3"]);
});

test("latency is by the server's clock, as the stream's status says it", async () => {
  const page = await open(pageOf("c"));
  const now = Date.now();
  page.source.send("status", { state: "live", time: new Date(now + 3_600_000).toISOString() }, POSITION);
  const placedAt = new Date(now + 3_600_000 - 50).toISOString();
  page.source.send("message", event("1", { data: { item: "Mug", version: 1, placed_at: placedAt } }));
  await page.clock.advance(1_000);
  assert.equal(page.text("latency"), "50 ms");
});

test("a past that could not be read can be asked for again", async () => {
  const page = await open(pageOf("c", event("1")));
  page.source.send("gap", GAP, LATER);
  await page.click(page.$("notice-show"));
  page.source.send("busy", { reason: "streams" });
  assert.deepEqual([page.$("notice").hidden, page.$("notice-show").hidden], [false, false]);
  const past = await showFrom(page);
  past.send("busy", { reason: "streams" });
  assert.deepEqual(
    [page.$("past-more").hidden, page.text("empty-text")],
    [false, "Choose another time, or go back to live."],
  );
  await page.click(page.$("past-more"));
  assert.equal(page.source.url, past.url);
});

test("two gaps are shown as one; a topic that began anew has none of them", async () => {
  const page = await open(pageOf("c"));
  page.source.send("gap", { ...GAP, to: POSITION }, POSITION);
  page.source.send("gap", { ...GAP, from: POSITION }, LATER);
  await page.click(page.$("notice-show"));
  assert.equal(page.source.url, `/stream?from=${encodeURIComponent(GAP.from)}`);
  page.sources[0].send("gap", { reason: "recreated", from: LATER, to: EARLIER, lost: {} }, EARLIER);
  assert.equal(page.$("notice-show").hidden, true);
});

test("what was missed is not put into a window of the past", async () => {
  const page = await open(pageOf("c", event("1")));
  page.source.send("gap", GAP, LATER);
  const past = await showFrom(page);
  assert.equal(page.$("notice-show").hidden, true);
  await page.click(page.$("past-close"));
  assert.deepEqual([past.readyState, page.$("notice-show").hidden], [2, false]);
});

test("history that is on its way does not come below the past", async () => {
  const [answer, release] = held();
  const page = await open(pageOf("c", event("1")), answer);
  await page.click(page.$("history"));
  const past = await showFrom(page);
  past.send("message", event("5"));
  release(pageOf("b", event("0")));
  await page.clock.advance(200);
  assert.deepEqual(shownIds(page), ["5"]);
});

test("back to live in the middle of a flush loses nothing of it", async () => {
  const page = await open(pageOf("c", event("1")), pageOf("c", event("1")));
  page.source.send("message", timed("2", "20"));
  const past = await showFrom(page);
  past.send("message", event("0"));
  await page.click(page.$("past-close"));
  await page.clock.advance(200);
  assert.deepEqual(shownIds(page).toSorted(), ["1", "2"]);
});

test("missed events that a full table of newer ones has no room for are not said to be shown", async () => {
  const page = await open(pageOf("c"));
  page.source.send("gap", GAP, LATER);
  await receive(page, ...Array.from({ length: 1000 }, (_, number) => timed(`${number}`, "59")));
  await page.click(page.$("notice-show"));
  page.source.send("message", timed("old", "10"), LATER);
  assert.match(page.text("message"), /^1 event was missed, and the table is full of newer ones/);
});
