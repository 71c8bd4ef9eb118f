import assert from "node:assert/strict";
import test from "node:test";
import { describeGap } from "../../../consumer_service/consumer/static/gaps.js";

const lost = { 0: [120, 340], 3: [7, 8] };

test("the events of all partitions are counted", () => {
  assert.equal(
    describeGap({ reason: "expired", lost }),
    "221 events were missed: this page was away for longer than Kafka keeps events. The stream continues live.",
  );
});

test("one event is one event", () => {
  assert.match(describeGap({ reason: "overflow", lost: { 2: [5, 6] } }), /^1 event was skipped: /);
});

test("two events are two events, and thousands are grouped", () => {
  assert.match(describeGap({ reason: "overflow", lost: { 2: [5, 7] } }), /^2 events were skipped: /);
  assert.match(describeGap({ reason: "overflow", lost: { 2: [5, 12_350] } }), /^12,345 events were skipped: /);
});

test("what is not known is not made up", () => {
  for (const gap of [{ reason: "expired" }, { reason: "expired", lost: {} }]) {
    assert.match(describeGap(gap), /^Some events may have been missed: /);
  }
});

test("every reason is told in words of its own", () => {
  const [expired, overflow, recreated, unreadable, other] = [
    "expired",
    "overflow",
    "recreated",
    "unreadable",
    "a reason of a later version",
  ].map((reason) => describeGap({ reason, lost: {} }));
  assert.match(expired, /longer than Kafka keeps events/);
  assert.match(overflow, /faster than this page could receive them/);
  assert.match(recreated, /^The Kafka topic was created again or has lost events/);
  assert.match(unreadable, /^The server could not tell where this page had left off/);
  assert.equal(other, "Some events may be missing. The stream continues live.");
});
