import assert from "node:assert/strict";
import test from "node:test";
import { covers, isPosition, union } from "../../../consumer_service/consumer/static/position.js";

const TOPIC = "AAAAAAAAAAAAAAAAAAAAAA";
const OTHER = "BBBBBBBBBBBBBBBBBBBBBB";

test("a position covers another when it is as far in every partition", () => {
  assert.ok(covers(`${TOPIC};0:3,1:10`, `${TOPIC};0:3,1:9`));
  assert.ok(!covers(`${TOPIC};0:9,1:9`, `${TOPIC};0:3,1:10`));
});

test("all of a partition that was added later is still to come", () => {
  assert.ok(!covers(`${TOPIC};0:3`, `${TOPIC};0:3,1:1`));
  assert.ok(covers(`${TOPIC};0:3`, `${TOPIC};0:3,1:0`));
  assert.ok(covers(`${TOPIC};0:3,1:1`, `${TOPIC};0:3`));
});

test("positions of two topics cover nothing of each other", () => {
  assert.ok(!covers(`${TOPIC};0:3`, `${OTHER};0:1`));
});

test("who has seen what is before either is after both", () => {
  assert.equal(union(`${TOPIC};0:3,1:10`, `${TOPIC};0:4,1:9,2:1`), `${TOPIC};0:4,1:10,2:1`);
  assert.equal(union(`${TOPIC};0:3`, `${OTHER};0:1`), `${OTHER};0:1`);
});

test("anything else is no position", () => {
  assert.ok(isPosition(`${TOPIC};0:3,1:10`));
  for (const text of ["", null, 3, TOPIC, `${TOPIC};`, `${TOPIC};0`, `${TOPIC};0:3,`, `${TOPIC};0:-1`, `A;0:1`]) {
    assert.ok(!isPosition(text), String(text));
  }
});
