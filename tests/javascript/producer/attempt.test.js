import assert from "node:assert/strict";
import test from "node:test";
import { Attempt } from "../../../producer_service/producer/static/attempt.js";

const ORDER = { item: "Mug" };

test("until the outcome is known, the same body has the same key, however long it takes", () => {
  const attempt = new Attempt();
  const key = attempt.key(ORDER, 0);
  assert.equal(attempt.key({ item: "Mug" }, 3_600_000), key);
  assert.match(key, /^[0-9a-f-]{32,36}$/);
});

test("another body has another key, and so has the first one after it", () => {
  const attempt = new Attempt();
  const keys = [ORDER, { item: "Cup" }, ORDER].map((body) => attempt.key(body, 0));
  assert.equal(new Set(keys).size, 3);
});

test("a double click repeats a request whose outcome is known, a later one makes another", () => {
  const attempt = new Attempt();
  const key = attempt.key(ORDER, 0);
  attempt.decided(1_000);
  assert.equal(attempt.key(ORDER, 2_500), key);
  attempt.decided(3_000);
  assert.notEqual(attempt.key(ORDER, 4_501), key);
});

test("no two attempts share a key", () => {
  const keys = Array.from({ length: 100 }, () => new Attempt().key(ORDER, 0));
  assert.equal(new Set(keys).size, 100);
});

test("on http, where there is no randomUUID, a key is just as random", () => {
  const real = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  const getRandomValues = crypto.getRandomValues.bind(crypto);
  Object.defineProperty(globalThis, "crypto", { configurable: true, value: { getRandomValues } });
  const keys = Array.from({ length: 100 }, () => new Attempt().key(ORDER, 0));
  Object.defineProperty(globalThis, "crypto", real);
  assert.equal(new Set(keys).size, 100);
  assert.ok(keys.every((key) => /^[0-9a-f]{32}$/.test(key)));
});
