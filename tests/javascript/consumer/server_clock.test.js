import assert from "node:assert/strict";
import test from "node:test";
import { ServerClock } from "../../../consumer_service/consumer/static/server_clock.js";
import { FakeClock } from "../fakes/clock.js";

const NOW = Date.parse("2026-11-22T14:00:00Z");
const after = (ms) => new Date(NOW + ms).toUTCString();

/** Return how far a clock that has learned these dates is ahead of the browser's. */
function offset(...dates) {
  new FakeClock().install();
  const clock = new ServerClock();
  dates.forEach((date) => clock.learn(date, NOW - 100, NOW + 100));
  return clock.now() - Date.now();
}

test("without a date, the browser's clock is all there is", () => {
  assert.equal(offset(), 0);
  assert.equal(offset(null), 0);
  assert.equal(offset("yesterday"), 0);
});

test("a clock that is wrong is corrected, either way, by the middle of a second", () => {
  assert.equal(offset(after(3_600_000)), 3_600_500);
  assert.equal(offset(after(-3_600_000)), -3_599_500);
});

test("the time that the request took is taken into account", () => {
  new FakeClock().install();
  const clock = new ServerClock();
  clock.learn(after(60_000), NOW - 10_000, NOW);
  assert.equal(clock.now() - Date.now(), 65_500);
});

test("a difference within whole seconds means nothing", () => {
  assert.equal(offset(after(1_000)), 0);
  assert.equal(offset(after(2_000)), 2_500);
});

test("the last response counts", () => {
  assert.equal(offset(after(3_600_000), after(0)), 0);
  assert.equal(offset(after(3_600_000), null), 3_600_500);
});

const NOON = Date.parse("2026-11-22T12:00:00Z");

/** Return the offset after statuses: each is [when it was sent, when it was received], in ms after noon of both clocks. */
function heard(...statuses) {
  const clock = new ServerClock();
  for (const [sent, received] of statuses) {
    clock.hear(new Date(NOON + sent).toISOString(), NOON + received);
  }
  return clock.now() - Date.now();
}

test("a status tells the time to the millisecond; the least late one counts", () => {
  assert.ok(Math.abs(heard([3_600_000, 0]) - 3_600_000) < 5);
  assert.ok(Math.abs(heard([0, 40], [10_000, 10_007], [20_000, 20_900]) + 7) < 5);
});

test("a status that waited in a browser that was asleep does not count", () => {
  assert.ok(Math.abs(heard([0, 10], [10_000, 70_000], [80_000, 80_020]) + 10) < 5);
});

test("a browser's clock that is set is followed, at once or with the second status", () => {
  assert.ok(Math.abs(heard([0, 0], [10_000, -50_000]) - 60_000) < 5);
  assert.ok(Math.abs(heard([0, 0], [10_000, 70_000], [20_000, 80_000]) + 60_000) < 5);
});

test("the statuses are better than the header, and one without a time says nothing", () => {
  const clock = new ServerClock();
  clock.hear(new Date(Date.now() + 500).toISOString(), Date.now());
  clock.learn(new Date(Date.now() + 3_600_000).toUTCString(), Date.now(), Date.now());
  clock.hear(undefined, Date.now());
  assert.ok(Math.abs(clock.now() - Date.now() - 500) < 5);
});
