import assert from "node:assert/strict";
import test from "node:test";
import { History } from "../../../consumer_service/consumer/static/history.js";
import { held, unreachable } from "../fakes/network.js";
import { Page } from "../fakes/page.js";

const START = "AAAAAAAAAAAAAAAAAAAAAA;0:3,1:0";

function open(position, ...answers) {
  const page = new Page("dashboard");
  page.server.answer(...answers);
  const learned = [];
  const history = new History("/events", position, { learn: (...values) => learned.push(values) });
  const queries = () =>
    page.server.requests.map(({ url }) => Object.fromEntries(new URL(url, "http://a").searchParams));
  return { page, history, learned, queries };
}

const answer = (before, ...ids) => ({ json: { events: ids.map((id) => ({ id, data: {} })), before } });
const addAll = (events) => events.length;

test("the first page holds the events before the position, each other one those before the last page", async () => {
  const { page, history, queries } = open(START, answer("c1", "3", "2"), answer("c2", "1"));
  assert.equal(await history.load(99, addAll), 2);
  assert.equal(await history.load(100, addAll), 1);
  assert.deepEqual(queries(), [
    { limit: "99", before: START },
    { limit: "100", before: "c1" },
  ]);
  assert.ok(page.server.requests.every(({ url }) => url.startsWith("/events?")));
});

test("without a position, the first page is the newest", async () => {
  const { history, queries } = open("", answer("c1", "1"));
  await history.load(99, addAll);
  assert.deepEqual(queries(), [{ limit: "99" }]);
});

test("the beginning of the topic is the end of the history", async () => {
  const { page, history } = open(START, answer("c1", "2"), answer(null, "1"));
  await history.load(1, addAll);
  assert.equal(history.isComplete, false);
  await history.load(1, addAll);
  assert.equal(history.isComplete, true);
  assert.equal(await history.load(1, addAll), 0);
  assert.equal(page.server.requests.length, 2); // there is nothing left to ask for
  history.startAt(START);
  assert.equal(history.isComplete, false);
});

test("pages without anything new are skipped, five at most", async () => {
  const { page, history } = open(START, answer("c", "shown already"));
  assert.equal(await history.load(1, () => 0), 0);
  assert.equal(page.server.requests.length, 5);
  let calls = 0;
  await history.load(1, () => (calls += 1) - 1);
  assert.equal(calls, 2); // until one brings something
});

test("the newest event is that of the first page, and stays", async () => {
  const { history } = open(START, answer("c1"), answer("c2", "3", "2"), answer("c3", "1"));
  await history.load(1, addAll);
  await history.load(1, addAll);
  assert.equal(history.newest.id, "3");
});

test("a position of a deleted topic begins anew with the newest events", async () => {
  const { history, queries } = open(START, { status: 400, json: { detail: "of another topic" } }, answer("c", "1"));
  assert.equal(await history.load(9, addAll), 1);
  assert.deepEqual(queries(), [{ limit: "9", before: START }, { limit: "9" }]);
});

test("an error is thrown with the server's words, and the cursor stays", async () => {
  const { history, queries } = open(START, { status: 503, json: { detail: "Not yet." } }, answer("c", "1"));
  await assert.rejects(history.load(9, addAll), { message: "Not yet." });
  await history.load(9, addAll);
  assert.deepEqual(queries()[1], { limit: "9", before: START });
});

test("a 400 without a cursor is an error, not an endless loop", async () => {
  const { page, history } = open("", { status: 400, json: { detail: "No." } });
  await assert.rejects(history.load(9, addAll), { message: "No." });
  assert.equal(page.server.requests.length, 1);
});

test("a page that does not come ends after ten seconds", async () => {
  const { history } = open(START, answer("c", "1"));
  const timeout = AbortSignal.timeout;
  const times = [];
  AbortSignal.timeout = (ms) => times.push(ms) && timeout(ms);
  await history.load(9, addAll);
  AbortSignal.timeout = timeout;
  assert.deepEqual(times, [10_000]);
});

test("no answer is an error", async () => {
  const { history } = open(START, unreachable);
  await assert.rejects(history.load(9, addAll));
});

test("a page that was asked for before the table was cleared is dropped", async () => {
  const [late, release] = held();
  const { history, queries } = open(START, late, answer("c", "1"));
  const added = [];
  const load = history.load(9, (events) => added.push(...events));
  history.startAt("later");
  release(answer(null, "of before"));
  await load;
  assert.deepEqual([added, history.isComplete], [[], false]);
  await history.load(9, addAll);
  assert.equal(queries().at(-1).before, "later");
});

test("the server's clock is learned from every answer", async () => {
  const { page, history, learned } = open(START, { ...answer("c", "1"), headers: { Date: "a date" } });
  await history.load(9, addAll);
  assert.deepEqual(learned, [["a date", page.clock.now, page.clock.now]]);
});

test("what cannot be shown in events is made a text", async () => {
  const { history } = open(START, { json: { events: [{ id: "1", data: { item: { toString: 1 } } }], before: "c" } });
  let shown;
  await history.load(9, (events) => (shown = events).length);
  assert.equal(shown[0].data.item, '{"toString":1}');
});
