import assert from "node:assert/strict";
import test from "node:test";
import { points } from "../../../consumer_service/consumer/static/sparkline.js";
import {
  BIN_MS,
  BINS,
  describeLatencies,
  describeRates,
  Trends,
} from "../../../consumer_service/consumer/static/trends.js";

const NOW = 1_000_000; // the beginning of a bin
const ms = (milliseconds) => `${milliseconds} ms`;

test("five minutes are shown, without what is not over yet", () => {
  assert.equal(BIN_MS * BINS, 5 * 60_000);
  const trends = new Trends();
  [NOW, NOW, NOW + BIN_MS - 1, NOW + BIN_MS].forEach((at) => trends.addEvent(at));
  const rates = trends.rates(NOW + BIN_MS + 1);
  assert.equal(rates.length, BINS);
  assert.deepEqual(rates.slice(-2), [0, 3 / 5]);
  assert.deepEqual(trends.rates(NOW + 2 * BIN_MS).slice(-2), [3 / 5, 1 / 5]);
  assert.equal(trends.rates(NOW + BINS * BIN_MS)[0], 3 / 5);
  assert.equal(trends.rates(NOW + (BINS + 1) * BIN_MS)[0], 1 / 5);
});

test("a bin's latency is its median, and none without orders", () => {
  const trends = new Trends();
  [100, 9, 20].forEach((latency) => trends.addLatency(latency, NOW));
  assert.deepEqual(trends.latencies(NOW + 2 * BIN_MS).slice(-3), [null, 20, null]);
});

test("what is kept is bounded", () => {
  const trends = new Trends();
  for (let at = 0; at < 1_000; at += 1) {
    trends.addEvent(NOW + at * BIN_MS);
    trends.addLatency(1, NOW);
  }
  assert.equal(
    trends.rates(NOW + 1_000 * BIN_MS).every((rate) => rate === 1 / 5),
    true,
  );
});

test("a screen reader hears a sentence", () => {
  assert.equal(describeRates([0, 0]), "No events in the last five minutes.");
  assert.equal(describeRates([1, 12.4, 0.4]), "Events per second in the last five minutes: at most 12, lately 0.4.");
  assert.equal(describeLatencies([null], ms), "No order was placed in the last five minutes.");
  assert.equal(
    describeLatencies([7, null, 30, 12], ms),
    "From placed to shown in the last five minutes: between 7 ms and 30 ms, lately 12 ms.",
  );
});

test("a line is drawn from left to right, the highest value at the top", () => {
  assert.equal(points([0, 10, 5]), "0.0,23.0 60.0,1.0 120.0,12.0");
  assert.equal(points([0, 0]), "0.0,23.0 120.0,23.0");
  assert.equal(points([-3, -5]), "0.0,23.0 120.0,23.0");
});

test("where there is no value the line stays where it was", () => {
  assert.equal(points([null, 10, null]), "0.0,23.0 60.0,1.0 120.0,1.0");
});
