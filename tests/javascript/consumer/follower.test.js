import assert from "node:assert/strict";
import test from "node:test";
import { Follower } from "../../../consumer_service/consumer/static/follower.js";

const at = (offset) => `AAAAAAAAAAAAAAAAAAAAAA;0:${offset}`;

/** Return a message of a holder, which brings what lies between two offsets. */
function message(number, before, after, { holder = "a", since = 1, log = "log" } = {}) {
  return { holder, since, log, number, before: at(before), position: at(after), blocks: [], state: "live", data: {} };
}

/** Return a follower that is in step with a holder who has reached 10. */
function inStep() {
  const follower = new Follower();
  follower.take(message(0, 10, 10), at(10));
  follower.join(at(10), at(10));
  assert.ok(follower.isInStep);
  return follower;
}

const numbers = (messages) => messages.map(({ number }) => number);

test("in step, each message is shown as it comes, and an answer is not shown again", () => {
  const follower = inStep();
  assert.deepEqual(numbers(follower.take(message(1, 10, 11), at(10))), [1]);
  assert.deepEqual(numbers(follower.take(message(1, 11, 11), at(11))), []);
  assert.deepEqual(numbers(follower.take(message(2, 11, 12), at(11))), [2]);
});

test("who gets in step is given what it lacks, and no more", () => {
  const follower = new Follower();
  [message(4, 9, 11), message(5, 11, 12), message(6, 12, 15)].forEach((each) => follower.take(each, at(8)));
  assert.deepEqual([numbers(follower.join(at(8), at(8))), follower.isInStep], [[], false]);
  assert.deepEqual([numbers(follower.join(at(11), at(8))), follower.isInStep], [[5, 6], true]);
});

test("a holder that is not as far as our own connection began is not joined", () => {
  const follower = new Follower();
  follower.take(message(4, 9, 11), at(12));
  follower.join(at(12), at(12));
  assert.ok(!follower.isInStep);
  follower.take(message(5, 11, 13), at(12));
  follower.join(at(14), at(12));
  assert.ok(follower.isInStep);
});

test("who keeps waiting keeps the latest messages only", () => {
  const follower = new Follower();
  for (let number = 0; number < 2_000; number += 1) {
    follower.take(message(number, number, number + 1), at(0));
  }
  assert.deepEqual(numbers(follower.join(at(1_000), at(0))), []);
  assert.deepEqual(numbers(follower.join(at(1_998), at(0))), [1_998, 1_999]);
});

for (const [what, hello, stays] of [
  ["at the same place", message(0, 10, 10, { holder: "b", since: 2 }), true],
  ["at a later place", message(0, 11, 11, { holder: "b", since: 2 }), false],
  ["after the log was cut back", message(0, 10, 10, { holder: "b", since: 2, log: "other" }), false],
  ["whose first message was missed", message(1, 10, 10, { holder: "b", since: 2 }), false],
]) {
  test(`a new holder that resumes ${what} is ${stays ? "" : "not "}followed without asking the server`, () => {
    const follower = inStep();
    assert.ok(follower.isCurrent(hello));
    follower.take(hello, at(10));
    assert.equal(follower.isInStep, stays);
  });
}

test("a holder of before is not listened to", () => {
  const follower = new Follower();
  follower.take(message(0, 10, 10, { holder: "b", since: 2 }), at(10));
  assert.ok(!follower.isCurrent(message(7, 10, 11, { holder: "a", since: 1 })));
  assert.ok(!follower.isCurrent(message(7, 10, 11, { holder: "a", since: 2 })));
  assert.ok(follower.isCurrent(message(7, 10, 11, { holder: "a", since: 3 })));
});
