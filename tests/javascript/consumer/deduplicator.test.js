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
  assert.equal(deduplicator.isDuplicate(version("test-1", 2)), false); // it counts as version 1
});

test("after a new beginning of the topic, earlier versions are new", () => {
  const deduplicator = new Deduplicator();
  deduplicator.isDuplicate(version("a", 3));
  deduplicator.forget();
  assert.equal(deduplicator.isDuplicate(version("a", 1)), false);
});

test("the 20,000 orders that changed last are remembered, and no more", () => {
  const deduplicator = new Deduplicator();
  const isKnown = (subject) => deduplicator.isDuplicate(version(subject, 1));
  ["first", "second", "third"].forEach(isKnown);
  for (let number = 3; number < 20_000; number += 1) {
    isKnown(`order-${number}`);
  }
  assert.equal(isKnown("first"), true); // all 20,000 are remembered, and now this one changed last
  assert.equal(isKnown("one more"), false);
  assert.equal(isKnown("second"), false); // forgotten for it, and now remembered again, for which the third goes
  assert.equal(isKnown("third"), false);
  assert.equal(isKnown("first"), true);
});
