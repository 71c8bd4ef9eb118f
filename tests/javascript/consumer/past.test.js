import assert from "node:assert/strict";
import test from "node:test";
import { Page } from "../fakes/page.js";

const SCRIPT = new URL("../../../consumer_service/consumer/static/past.js", import.meta.url);
const at = (offset) => `AAAAAAAAAAAAAAAAAAAAAA;0:${offset},1:0`;

async function open(from, until, { takes = 1000 } = {}) {
  const page = new Page("dashboard");
  const { Past } = await page.run(SCRIPT);
  const seen = { events: [], states: [], gaps: [], ends: [] };
  const past = new Past("/stream", globalThis);
  past.open(from, until, {
    event(text) {
      seen.events.push(text);
      return seen.events.length < takes;
    },
    state: (name) => seen.states.push(name),
    gap: (data) => seen.gaps.push(data.reason),
    end: (reason) => seen.ends.push(reason),
  });
  return { page, past, seen, source: page.source };
}

const replaying = { state: "live", replay: "reading" };

test("it asks for a place in the past", async () => {
  const { source } = await open("2026-11-22T14:05:00.000Z", null);
  assert.equal(source.url, "/stream?from=2026-11-22T14%3A05%3A00.000Z");
});

test("it ends when the server says that everything has come", async () => {
  const { seen, source } = await open("2026-11-22T14:05:00.000Z", null);
  source.send("status", { state: "live", position: null, replay: "waiting" });
  source.send("status", replaying, at(0));
  source.send("message", "a", at(1));
  assert.deepEqual([seen.states, seen.events, seen.ends], [["waiting", "reading"], ["a"], []]);
  source.send("status", { state: "live" }, at(1));
  assert.deepEqual([seen.ends, source.readyState], [["reached"], 2]);
});

test("it ends at the position that was to be reached, and not before", async () => {
  const { seen, source } = await open(at(1), at(3));
  source.send("status", replaying, at(1));
  source.send("message", "a", at(2));
  source.send("status", { state: "live" }, at(2)); // said before what the server has at hand
  assert.deepEqual(seen.ends, []);
  source.send("message", "b", at(3));
  assert.deepEqual([seen.events, seen.ends], [["a", "b"], ["reached"]]);
});

test("it ends when there is no room for more", async () => {
  const { seen, source } = await open(at(0), null, { takes: 2 });
  source.send("message", "a");
  source.send("message", "b", at(2));
  assert.deepEqual([seen.events, seen.ends], [["a", "b"], ["full"]]);
});

test("a gap is passed on, and what follows too", async () => {
  const { seen, source } = await open(at(0), at(9));
  source.send("gap", { reason: "expired" }, at(4));
  source.send("message", "e", at(5));
  assert.deepEqual([seen.gaps, seen.events, seen.ends], [["expired"], ["e"], []]);
});

test("a refusal and a failure for good end it, a lost connection does not", async () => {
  const busy = await open(at(0), null);
  busy.source.send("busy", { reason: "streams" });
  assert.deepEqual(busy.seen.ends, ["busy"]);
  const lost = await open(at(0), null);
  lost.source.fail(false);
  assert.deepEqual(lost.seen.ends, []);
  lost.source.fail(true);
  assert.deepEqual(lost.seen.ends, ["failed"]);
});

test("a server that falls silent is given up", async () => {
  const { page, seen, source } = await open(at(0), null);
  source.send("status", replaying, at(0));
  await page.clock.advance(24_000);
  source.send("status", replaying, at(0));
  await page.clock.advance(24_000);
  assert.deepEqual(seen.ends, []);
  await page.clock.advance(2_000);
  assert.deepEqual([seen.ends, source.readyState], [["failed"], 2]);
});

test("a place that is asked for later takes the place of the one before, which is not heard any more", async () => {
  const { page, past, seen, source } = await open(at(0), null);
  past.open(at(5), null, { event: () => true, state() {}, gap() {}, end() {} });
  assert.equal(source.readyState, 2);
  assert.notEqual(page.source, source);
  past.close();
  assert.equal(page.source.readyState, 2);
  await page.clock.advance(60_000);
  assert.deepEqual(seen.ends, []);
});

test("a gap that the server is about to tell is heard before the end", async () => {
  const { seen, source } = await open(at(0), at(3));
  source.send("status", { state: "live", gap: true }, at(0));
  assert.deepEqual(seen.ends, []);
  source.send("gap", { reason: "recreated" }, `${"B".repeat(22)};0:0`);
  source.send("status", { state: "live" }, `${"B".repeat(22)};0:0`);
  assert.deepEqual([seen.gaps, seen.ends], [["recreated"], ["reached"]]);
});
