import assert from "node:assert/strict";
import test from "node:test";
import { Stream } from "../../../consumer_service/consumer/static/stream.js";
import { Page } from "../fakes/page.js";

const FIRST = "AAAAAAAAAAAAAAAAAAAAAA;0:3,1:0";
const LATER = "AAAAAAAAAAAAAAAAAAAAAA;0:4,1:2";
const from = (position) => `/stream?from=${encodeURIComponent(position)}`;

function open(position = FIRST) {
  const page = new Page("dashboard");
  const said = { states: [], events: [], gaps: [], begins: [], reached: [], stats: [] };
  const stream = new Stream("/stream", position, {
    state: (name) => said.states.push(name),
    event: (text) => said.events.push(text),
    gap: (data) => said.gaps.push(data),
    begin: (at) => said.begins.push(at),
    reached: () => said.reached.push(stream.position),
    stats: (text) => said.stats.push(text),
  });
  stream.open();
  return { page, stream, said };
}

/** Return the time until a source that failed for good is replaced, in whole seconds. */
async function secondsUntilReplaced(page) {
  const failed = page.source;
  for (let seconds = 0; seconds < 60; seconds += 1) {
    if (page.source !== failed) {
      return seconds;
    }
    await page.clock.advance(1_000);
  }
  return Infinity;
}

async function withChance(chance, call) {
  const random = Math.random;
  Math.random = () => chance;
  try {
    return await call();
  } finally {
    Math.random = random;
  }
}

test("the first source begins at the position of the page", () => {
  const { page } = open();
  assert.deepEqual(
    page.sources.map(({ url }) => url),
    [from(FIRST)],
  );
});

test("without a position, the stream begins live", () => {
  assert.equal(open("").page.source.url, "/stream");
});

test("events are passed on, and only a block with an id moves the position", () => {
  const { page, stream, said } = open();
  page.source.send("message", "one");
  assert.equal(stream.position, FIRST);
  page.source.send("message", "two", LATER);
  assert.deepEqual([stream.position, said.events], [LATER, ["one", "two"]]);
});

test("a new source begins where the last one has ended", async () => {
  const { page } = open();
  page.source.send("status", { state: "live" }, FIRST);
  page.source.send("message", "an event", LATER);
  page.source.fail(true);
  await page.clock.advance(2_000);
  assert.deepEqual(
    page.sources.map(({ url }) => url),
    [from(FIRST), from(LATER)],
  );
});

for (const type of ["status", "gap", "busy"]) {
  test(`a block of type ${type} moves the position too`, () => {
    const { page, stream } = open();
    page.source.send(type, { state: "live" }, LATER);
    assert.equal(stream.position, LATER);
  });
}

test("the state is what the server says of itself", () => {
  const { page, said } = open();
  page.source.send("status", { state: "live" }, FIRST);
  page.source.send("status", { state: "stale" }, FIRST);
  page.source.send("busy", { reason: "streams" });
  page.source.send("busy", { reason: "gateway" });
  assert.deepEqual(said.states, ["live", "stale", "busy", "reconnecting"]);
});

test("the beginning is told once, with the position before everything", async () => {
  const { page, said } = open("");
  page.source.send("status", { state: "live" }, FIRST);
  page.source.send("status", { state: "live" }, LATER);
  page.source.fail(true);
  await page.clock.advance(2_000);
  page.source.send("status", { state: "live" }, LATER);
  assert.deepEqual(said.begins, [FIRST]);
});

test("a gap is passed on", () => {
  const { page, said } = open();
  page.source.send("gap", { reason: "overflow", lost: { 0: [1, 2] } }, LATER);
  assert.deepEqual(said.gaps, [{ reason: "overflow", lost: { 0: [1, 2] } }]);
});

test("while the browser connects by itself, no second source is opened", async () => {
  const { page, said } = open();
  page.source.send("status", { state: "live" }, FIRST);
  page.source.fail(false);
  await page.clock.advance(20_000);
  assert.equal(page.sources.length, 1);
  assert.equal(said.states.at(-1), "reconnecting");
});

test("a busy server stays busy through the end of its answer", () => {
  const { page, said } = open();
  page.source.send("busy", { reason: "streams" });
  page.source.fail(false);
  assert.deepEqual(said.states, ["busy"]);
});

test("a silent source is replaced after 25 seconds, and not before", async () => {
  const { page, said } = open();
  page.source.send("status", { state: "live" }, LATER);
  const silent = page.source;
  await page.clock.advance(24_000);
  assert.deepEqual([page.source, said.states.at(-1)], [silent, "live"]);
  await page.clock.advance(2_000);
  assert.notEqual(page.source, silent);
  assert.deepEqual([silent.readyState, page.source.url, said.states.at(-1)], [2, from(LATER), "reconnecting"]);
});

for (const type of ["message", "status", "gap", "busy"]) {
  test(`a block of type ${type} is a sign of life`, async () => {
    const { page } = open();
    for (let times = 0; times < 4; times += 1) {
      await page.clock.advance(15_000);
      page.source.send(type, { state: "live" });
    }
    assert.equal(page.sources.length, 1);
  });
}

test("pages do not all come back at the same moment", async () => {
  const seconds = [];
  for (const chance of [0, 0.99]) {
    const { page } = open();
    await withChance(chance, async () => {
      page.source.fail(true);
      seconds.push(await secondsUntilReplaced(page));
    });
  }
  assert.deepEqual(seconds, [1, 2]);
});

test("the wait doubles up to a limit, and is short again once there is an answer", async () => {
  const { page } = open();
  const waits = [];
  for (let attempts = 0; attempts < 6; attempts += 1) {
    await withChance(0.5, async () => {
      page.source.fail(true);
      waits.push(await secondsUntilReplaced(page));
    });
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 15, 15]);
  page.source.send("status", { state: "live" }, FIRST);
  await withChance(0.5, async () => {
    page.source.fail(true);
    assert.equal(await secondsUntilReplaced(page), 1);
  });
});

test("one failure that is told twice opens one source", async () => {
  const { page } = open();
  page.source.fail(true);
  page.source.fail(true);
  await page.clock.advance(5_000);
  assert.equal(page.sources.length, 2);
});

test("a closed stream has no connection, and begins where it was told to when it is opened again", async () => {
  const { page, stream } = open();
  stream.close();
  assert.equal(page.source.readyState, 2);
  await page.clock.advance(60_000);
  await page.dispatch("online");
  assert.equal(page.sources.length, 1);
  stream.position = LATER;
  stream.open();
  assert.deepEqual([page.sources.length, page.source.url], [2, from(LATER)]);
});

test("a place is reached with each block that has an id of its own", () => {
  const { page, said } = open();
  page.source.send("status", { state: "live" }, FIRST);
  page.source.send("message", "one", FIRST); // browsers give a block without an id that of the last one
  page.source.send("message", "two", LATER);
  page.source.send("gap", { reason: "unreadable" }, LATER);
  page.source.send("busy", { reason: "streams" });
  assert.deepEqual(said.reached, [FIRST, LATER, LATER]);
});

test("the state comes with what the server says about it", () => {
  const data = [];
  const page = new Page("dashboard");
  new Stream("/stream", FIRST, { state: (...said) => data.push(said), begin() {}, reached() {} }).open();
  page.source.send("status", { state: "live", replay: "waiting" }, FIRST);
  page.source.fail(false);
  assert.deepEqual(data, [
    ["live", { state: "live", replay: "waiting" }],
    ["reconnecting", {}],
  ]);
});

test("a connection that is overdue is opened when somebody says that it is time", async () => {
  const { page, stream } = open();
  page.source.fail(true);
  stream.check();
  assert.equal(page.sources.length, 1);
  page.clock.now += 2_000; // timers of a hidden tab may be late
  stream.check();
  assert.equal(page.sources.length, 2);
});

test("a stream that is closed while it waits to connect again stays without a connection", async () => {
  const { page, stream } = open();
  page.source.fail(true);
  stream.close();
  await page.clock.advance(60_000);
  assert.equal(page.sources.length, 1);
});

test("back on the network, a page connects at once unless it is live", async () => {
  const { page } = open();
  page.source.send("status", { state: "live" }, FIRST);
  await page.dispatch("online");
  assert.equal(page.sources.length, 1);
  page.source.fail(false);
  await page.dispatch("online");
  assert.equal(page.sources.length, 2);
  assert.equal(page.sources[0].readyState, 2); // never two connections of one page
});

test("figures are passed on and move no position", () => {
  const { page, stream, said } = open();
  page.source.send("stats", "figures");
  assert.deepEqual([stream.position, said.stats, said.events, said.reached], [FIRST, ["figures"], [], []]);
});

test("who asks for figures gets a new source that goes on where the last one was", () => {
  const { page, stream } = open();
  page.source.send("message", "one", LATER);
  stream.askForStats(true);
  stream.askForStats(true);
  assert.deepEqual(
    page.sources.map(({ url, readyState }) => [url, readyState]),
    [
      [from(FIRST), 2],
      [`${from(LATER)}&stats=1`, 0],
    ],
  );
  stream.askForStats(false);
  assert.equal(page.source.url, from(LATER));
});

test("figures can be asked for before the stream is opened, and without a position", () => {
  const { page, stream } = open("");
  stream.close();
  stream.askForStats(true);
  assert.equal(page.sources.length, 1);
  stream.open();
  assert.equal(page.source.url, "/stream?stats=1");
});

test("a stream that waits to connect again is not hurried by who asks for figures", async () => {
  const { page, stream } = open();
  page.source.fail(true);
  stream.askForStats(true);
  assert.equal(page.sources.length, 1);
  await page.clock.advance(2_000);
  assert.equal(page.source.url, `${from(FIRST)}&stats=1`);
});

test("figures alone keep a stream from seeming silent", async () => {
  const { page } = open();
  for (let seconds = 0; seconds < 60; seconds += 10) {
    await page.clock.advance(10_000);
    page.source.send("stats", "figures");
  }
  assert.equal(page.sources.length, 1);
});

test("a source that was replaced says nothing any more", () => {
  const { page, stream, said } = open();
  const [first] = page.sources;
  page.source.send("status", { state: "live" }, FIRST);
  stream.askForStats(true);
  first.fail(true);
  assert.deepEqual([said.states, page.sources.length], [["live"], 2]);
});
