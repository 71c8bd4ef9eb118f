import assert from "node:assert/strict";
import test from "node:test";
import { Figures, formatDuration } from "../../../consumer_service/consumer/static/figures.js";

const NOW = 1_000_000;

function withLatencies(...latencies) {
  const figures = new Figures();
  latencies.forEach((latency) => figures.addLatency(latency, NOW));
  return figures;
}

test("every event is counted", () => {
  const figures = new Figures();
  [0, 500, 60_000].forEach((after) => figures.addEvent(NOW + after));
  assert.equal(figures.count, 3);
});

test("the rate is that of the last five whole seconds", () => {
  const figures = new Figures();
  [-1, 0, 999, 1_000, 4_999, 5_000].forEach((after) => figures.addEvent(NOW + after));
  assert.equal(figures.rate(NOW + 5_999), 4 / 5); // without the one before and the one of the running second
  assert.equal(figures.rate(NOW + 6_000), 3 / 5);
  assert.equal(figures.rate(NOW + 11_000), 0);
});

test("p50 and p95 are what half and 95 of 100 events did not exceed", () => {
  const hundred = Array.from({ length: 100 }, (_, number) => 100 - number); // in no order that helps
  assert.deepEqual(withLatencies(...hundred).latency(NOW), { p50: 51, p95: 96 });
  assert.deepEqual(withLatencies(7).latency(NOW), { p50: 7, p95: 7 });
  assert.deepEqual(withLatencies(9, 100, 20).latency(NOW), { p50: 20, p95: 100 }); // as numbers, not as texts
});

test("latencies are those of the last minute", () => {
  const figures = withLatencies(500);
  figures.addLatency(10, NOW + 30_000);
  assert.equal(figures.latency(NOW + 60_000).p95, 500);
  assert.equal(figures.latency(NOW + 60_001).p95, 10);
  assert.equal(figures.latency(NOW + 90_001), null);
  assert.equal(new Figures().latency(NOW), null);
});

test("the newest 3,000 latencies are kept", () => {
  const figures = withLatencies(...Array.from({ length: 3_000 }, () => 1));
  for (let more = 0; more < 1_499; more += 1) {
    figures.addLatency(50, NOW);
  }
  assert.equal(figures.latency(NOW).p50, 1); // 1,501 against 1,499
  figures.addLatency(50, NOW);
  assert.equal(figures.latency(NOW).p50, 50);
});

test("a duration has the unit that is easiest to read", () => {
  assert.deepEqual([-3, 0, 12.4, 999, 1_000, 1_549, 59_900, 60_000, 150_000].map(formatDuration), [
    "0 ms",
    "0 ms",
    "12 ms",
    "999 ms",
    "1.0 s",
    "1.5 s",
    "59.9 s",
    "1 min",
    "3 min",
  ]);
});
