import assert from "node:assert/strict";
import test from "node:test";
import { Poll } from "../../../producer_service/producer/static/poll.js";
import { settle } from "../fakes/clock.js";
import { Page } from "../fakes/page.js";

/** A poll whose requests a test ends itself: `requests` holds what ends each one. */
function open() {
  const page = new Page("checkout");
  const requests = [];
  const poll = new Poll(() => new Promise((resolve) => requests.push(resolve)));
  const end = async () => {
    requests.at(-1)();
    await settle();
  };
  return { page, poll, requests, end };
}

test("a request follows two seconds after the end of the last one", async () => {
  const { page, poll, requests, end } = open();
  poll.now();
  await page.clock.advance(60_000);
  assert.equal(requests.length, 1); // it has not ended
  await end();
  await page.clock.advance(1_999);
  assert.equal(requests.length, 1);
  await page.clock.advance(1);
  assert.equal(requests.length, 2);
});

test("what is asked for during a request is asked for again right after it, once", async () => {
  const { page, poll, requests, end } = open();
  poll.now();
  poll.now();
  poll.now();
  assert.equal(requests.length, 1);
  await end();
  assert.equal(requests.length, 2);
  await end();
  assert.equal(requests.length, 2);
  await page.clock.advance(2_000);
  assert.equal(requests.length, 3);
});

test("asking now takes the place of the next turn", async () => {
  const { page, poll, requests, end } = open();
  poll.now();
  await end();
  await page.clock.advance(1_000);
  poll.now();
  await end();
  await page.clock.advance(1_500);
  assert.equal(requests.length, 2);
});

test("a hidden page asks for nothing, and asks at once when it is seen", async () => {
  const { page, poll, requests, end } = open();
  poll.now();
  await end();
  await page.hide(true);
  await page.clock.advance(60_000);
  assert.equal(requests.length, 1);
  await page.hide(false);
  assert.equal(requests.length, 2);
});
