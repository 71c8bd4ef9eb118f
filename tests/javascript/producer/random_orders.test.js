import assert from "node:assert/strict";
import test from "node:test";
import { randomOrders } from "../../../producer_service/producer/static/random_orders.js";
import { settle } from "../fakes/clock.js";
import { held, unreachable } from "../fakes/network.js";
import { Page } from "../fakes/page.js";

const placeAll = ({ body }) => ({ status: 201, json: { count: body.count } });

function open(...answers) {
  const page = new Page("checkout");
  page.server.answer(...(answers.length ? answers : [placeAll]));
  const chunks = [];
  randomOrders(page.$("random"), () => chunks.push(page.text("generated")));
  const start = async (count) => {
    page.$("count").value = count;
    page.$("random").dispatch("submit");
    for (let turns = 0; turns < 10; turns += 1) {
      await settle();
    }
  };
  const counts = () => page.server.requests.map(({ body }) => body.count);
  const keys = () => page.server.requests.map(({ headers }) => headers["Idempotency-Key"]);
  const buttons = () => ({
    submit: !page.$("random").querySelector("[type=submit]").hidden,
    stop: !page.$("stop").hidden,
    resume: !page.$("resume").hidden,
  });
  return { page, chunks, start, counts, keys, buttons };
}

test("orders are placed in chunks of fifty, and only what was confirmed is counted", async () => {
  const { page, chunks, start, counts, keys, buttons } = open();
  await start("120");
  assert.deepEqual(counts(), [50, 50, 20]);
  assert.deepEqual(
    page.server.requests.map(({ url }) => url),
    Array(3).fill("/orders/random"),
  );
  assert.equal(new Set(keys()).size, 3);
  assert.deepEqual(chunks, ["50 of 120 placed", "100 of 120 placed", "120 of 120 placed"]);
  assert.equal(page.text("generated"), "120 of 120 placed.");
  assert.deepEqual([page.$("progress").max, page.$("progress").value, page.$("progress").hidden], [120, 120, false]);
  assert.deepEqual(buttons(), { submit: true, stop: false, resume: false });
});

test("a chunk of which fewer were placed is counted as what was placed", async () => {
  const { page, start, counts } = open({ json: { count: 30 } }, placeAll);
  await start("60");
  assert.deepEqual([counts(), page.text("generated")], [[50, 30], "60 of 60 placed."]);
});

test("one is enough, and a thousand are not too many", async () => {
  const { start, counts } = open();
  await start("1");
  await start("1000");
  assert.deepEqual(
    [
      counts()[0],
      counts().slice(1).length,
      counts()
        .slice(1)
        .every((count) => count === 50),
    ],
    [1, 20, true],
  );
});

test("what is no number from 1 to 1,000 is sent as it is, for the server to say what is wrong", async () => {
  const errors = [{ pointer: "/count", detail: "must be 1 to 1,000" }];
  const { page, start, counts, buttons } = open({ status: 422, json: { detail: "Not valid.", errors } });
  for (const text of ["0", "1001", "many", "1.5", "1e2", "0x10", ""]) {
    await start(text);
  }
  assert.deepEqual(counts(), [0, 1001, "many", "1.5", "1e2", "0x10", ""]);
  assert.equal(page.text("count-error"), "How many: must be 1 to 1,000");
  assert.deepEqual([page.$("progress").hidden, page.text("generated")], [true, ""]);
  assert.deepEqual(buttons(), { submit: true, stop: false, resume: false });
});

test("Stop ends after the running chunk, and Continue places the rest", async () => {
  const [late, release] = held();
  const { page, start, counts, buttons } = open(late, placeAll);
  await start("120");
  assert.deepEqual(buttons(), { submit: false, stop: true, resume: false });
  await page.click(page.$("stop"));
  assert.deepEqual([page.text("generated"), page.$("stop").disabled], ["0 of 120 placed · stopping…", true]);
  release({ json: { count: 50 } });
  await settle();
  assert.deepEqual([counts(), page.text("generated")], [[50], "Stopped: 50 of 120 placed."]);
  assert.deepEqual(buttons(), { submit: true, stop: false, resume: true });
  await page.click(page.$("resume"));
  await settle();
  assert.deepEqual([counts(), page.text("generated")], [[50, 50, 20], "120 of 120 placed."]);
});

test("a chunk whose outcome is not known is sent again with the same key", async () => {
  const { page, start, counts, keys, buttons } = open(placeAll, unreachable, placeAll);
  await start("100");
  assert.equal(
    page.text("generated"),
    "The shop does not answer. 50 of 100 placed. Press Continue when the shop is back: no order is placed twice.",
  );
  assert.deepEqual(buttons(), { submit: true, stop: false, resume: true });
  await page.click(page.$("resume"));
  assert.deepEqual(counts(), [50, 50, 50]);
  assert.deepEqual([keys()[0] === keys()[1], keys()[1] === keys()[2]], [false, true]);
  assert.equal(page.text("generated"), "100 of 100 placed.");
});

test("a refusal says how far it came, and promises nothing", async () => {
  const { page, start } = open(placeAll, { status: 429, json: { detail: "Too many requests." } });
  await start("100");
  assert.equal(page.text("generated"), "Too many requests. 50 of 100 placed.");
});

test("a second press while orders are placed starts nothing", async () => {
  const [late, release] = held();
  const { start, counts } = open(late, placeAll);
  await start("50");
  await start("70");
  release({ json: { count: 50 } });
  await settle();
  assert.deepEqual(counts(), [50]);
});

test("the same number twice is twice as many orders", async () => {
  const { start, keys } = open();
  await start("10");
  await start("10");
  assert.equal(new Set(keys()).size, 2);
});

test("a button that disappears passes its focus on", async () => {
  const [late, release] = held();
  const { page, start } = open(late);
  page.$("random").querySelector("[type=submit]").focus();
  await start("120");
  assert.equal(page.document.activeElement.id, "stop");
  await page.click(page.$("stop"));
  release({ json: { count: 50 } });
  await settle();
  assert.equal(page.document.activeElement.id, "resume");
});
