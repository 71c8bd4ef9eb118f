import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { readStats } from "../../../consumer_service/consumer/static/stats.js";

const GOLDEN = readFileSync(new URL("../../../contracts/order-stats.json", import.meta.url), "utf8");
const read = (changes) => readStats(JSON.stringify({ ...JSON.parse(GOLDEN), ...changes }));

test("the golden message is read", () => {
  const stats = readStats(GOLDEN);
  assert.deepEqual(
    [stats.time, stats.orders, stats.events, stats.revenue],
    [Date.parse("2026-11-22T14:05:06.123Z"), 4, 6, "12345678901234.50"],
  );
  assert.deepEqual(stats.statuses, [
    { name: "cancelled", orders: 1 },
    { name: "confirmed", orders: 1 },
    { name: "placed", orders: 2 },
  ]);
  assert.deepEqual(
    stats.minutes.map(({ orders, events, revenue }) => [orders, events, revenue]),
    [
      [3, 4, "12345678901242.50"],
      [0, 0, "0.00"],
      [1, 2, "-8.00"],
    ],
  );
  assert.deepEqual(stats.items[1], {
    name: '<img src=x onerror="alert(1)"> & Möbel 🪑',
    orders: 1,
    quantity: 1,
    revenue: "0.50",
  });
});

test("unknown fields are ignored", () => {
  assert.deepEqual(read({ news: { a: 1 } }), readStats(GOLDEN));
});

test("what is no message with figures is none", (context) => {
  context.mock.method(console, "error", () => {});
  for (const text of ["", "{", "null", "1", "[]", "{}", '{"time":5}', '{"time":"yesterday"}', '"text"']) {
    assert.equal(readStats(text), null, text);
  }
});

test("what is missing, or no number, is unknown, and takes nothing else with it", () => {
  const trap = { toString: 1, valueOf: 1 };
  for (const value of [undefined, null, "5", trap, [1], true]) {
    const stats = read({ orders: value, revenue: value, by_status: { placed: value, shipped: 1 } });
    assert.deepEqual([stats.orders, stats.revenue, stats.events], [null, null, 6]);
    assert.deepEqual(stats.statuses.at(-1), { name: "shipped", orders: 1 });
  }
  for (const value of [undefined, null, 5, "x", trap]) {
    const stats = read({ minutes: value, items: value, by_status: value === trap ? null : value });
    assert.deepEqual([stats.minutes, stats.items, stats.statuses], [[], [], []], String(JSON.stringify(value)));
  }
  for (const value of ["1", "1.5", "1,000.00", "1e3", "NaN", "--1.00", ""]) {
    assert.equal(read({ revenue: value }).revenue, null, value);
  }
});

test("minutes and items that cannot be shown are left out", () => {
  const [minute] = JSON.parse(GOLDEN).minutes;
  const stats = read({
    minutes: [null, 1, { ...minute, minute: "now" }, { ...minute, by_status: null }, minute],
    items: [null, { item: 5 }, { item: "Tee" }],
  });
  assert.deepEqual(
    stats.minutes.map(({ orders }) => orders),
    [null, 3],
  );
  assert.deepEqual(stats.items, [{ name: "Tee", orders: null, quantity: null, revenue: null }]);
});

test("there is a bound to what is shown", () => {
  const { minutes, items } = JSON.parse(GOLDEN);
  const stats = read({
    minutes: Array.from({ length: 500 }, () => minutes[0]),
    items: Array.from({ length: 500 }, () => items[0]),
    by_status: Object.fromEntries(Array.from({ length: 500 }, (_, number) => [`s${number}`, 1])),
  });
  assert.deepEqual([stats.minutes.length, stats.items.length, stats.statuses.length], [60, 20, 20]);
});
