import assert from "node:assert/strict";
import test from "node:test";
import { formatCents, parseCents, parsePrice, parseQuantity } from "../../../producer_service/producer/static/money.js";

test("a price is read as the server reads it", () => {
  const prices = { 32: 3200n, 32.5: 3250n, 32.05: 3205n, 0.01: 1n, 9999999999.99: 999999999999n };
  for (const [text, cents] of Object.entries(prices)) {
    assert.equal(parsePrice(text), cents, text);
  }
});

test("what the server would refuse is no price", () => {
  for (const text of ["", "0", "0.00", "-1", "1.", ".5", "1.005", "1,50", " 1", "1e2", "1_0", "٣", "12345678901"]) {
    assert.equal(parsePrice(text), null, text);
  }
});

test("a quantity is a whole number from 1 to 10,000", () => {
  assert.deepEqual(["1", "007", "10000"].map(parseQuantity), [1n, 7n, 10000n]);
  for (const text of ["", "0", "10001", "1.0", "-1", "1e3", "two", "٣", "9".repeat(30)]) {
    assert.equal(parseQuantity(text), null, text);
  }
});

test("an amount keeps every cent, beyond what a float can hold", () => {
  assert.deepEqual(["1234.50", "0.05", "7", "99999999999999999.99"].map(parseCents), [
    123450n,
    5n,
    700n,
    9999999999999999999n,
  ]);
});

test("cents are shown with two digits, whole amounts in groups of three", () => {
  assert.deepEqual([0n, 5n, 50n, 123450n, 9999999999999999999n].map(formatCents), [
    "0.00",
    "0.05",
    "0.50",
    "1,234.50",
    "99,999,999,999,999,999.99",
  ]);
});
