import assert from "node:assert/strict";
import test from "node:test";
import { Deduplicator } from "../../../consumer_service/consumer/static/deduplicator.js";

const version = (subject, number) => ({ subject, data: { version: number } });

test("an event is new once, and only above the highest version of its order", () => {
  const deduplicator = new Deduplicator();
  const seen = [1, 1, 2, 1, 2, 4, 3, 4].map((number) => deduplicator.isDuplicate(version("a", number)));
  assert.deepEqual(seen, [false, true, false, true, true, false, true, true]);
});

test("orders do not hide each other's events", () => {
  const deduplicator = new Deduplicator();
  assert.equal(deduplicator.isDuplicate(version("a", 3)), false);
  assert.equal(deduplicator.isDuplicate(version("b", 1)), false);
  assert.equal(deduplicator.isDuplicate(version("a", 2)), true);
});

test("a test event has no version, and comes once", () => {
  const deduplicator = new Deduplicator();
  assert.equal(deduplicator.isDuplicate({ subject: "test-1" }), false);
  assert.equal(deduplicator.isDuplicate({ subject: "test-1", data: {} }), true);
  assert.equal(deduplicator.isDuplicate({ subject: "test-2", data: null }), false);
});

test("after a new beginning of the topic, earlier versions are new", () => {
  const deduplicator = new Deduplicator();
  deduplicator.isDuplicate(version("a", 3));
  deduplicator.forget();
  assert.equal(deduplicator.isDuplicate(version("a", 1)), false);
});

test("the 20,000 orders that changed last are remembered, and no more", () => {
  const deduplicator = new Deduplicator();
  deduplicator.isDuplicate(version("first", 1));
  deduplicator.isDuplicate(version("touched", 1));
  for (let number = 0; number < 19_998; number += 1) {
    deduplicator.isDuplicate(version(`order-${number}`, 1));
  }
  assert.equal(deduplicator.isDuplicate(version("touched", 1)), true); // it counts as touched now
  assert.equal(deduplicator.isDuplicate(version("last", 1)), false); // the 20,001st
  assert.equal(deduplicator.isDuplicate(version("touched", 1)), true);
  assert.equal(deduplicator.isDuplicate(version("order-5", 1)), true);
  assert.equal(deduplicator.isDuplicate(version("first", 1)), false); // forgotten: the least lately touched
});
