import assert from "node:assert/strict";
import test from "node:test";
import { Page } from "../fakes/page.js";

const SCRIPT = new URL("../../../kafka_page/kafka_ui/static/messages.js", import.meta.url);
const message = (number) => `<li class="message">message ${number}</li>`;

async function open(options) {
  const page = new Page("messages", options);
  await page.run(SCRIPT);
  const state = () => [page.text("live-state"), page.$("live-state").dataset.state];
  return { page, state, texts: () => page.$("live-list").children.map((node) => node.textContent) };
}

async function follow(options) {
  const opened = await open(options);
  await opened.page.click(opened.page.$("tail"));
  return opened;
}

test("the live tail is off until it is switched on, and takes the place of what was found", async () => {
  const { page, state } = await open();
  assert.deepEqual([page.sources.length, page.$("live").hidden], [0, true]);
  await page.click(page.$("tail"));
  assert.equal(page.source.url, "/topics/orders/tail");
  assert.deepEqual([page.$("live").hidden, page.$("found").hidden], [false, true]);
  assert.equal(page.$("tail").getAttribute("aria-pressed"), "true");
  assert.equal(state()[0], "connecting");
});

test("switched off, it is closed, and what was found is back", async () => {
  const { page } = await follow();
  await page.click(page.$("tail"));
  assert.equal(page.source.readyState, 2);
  assert.deepEqual([page.$("live").hidden, page.$("found").hidden], [true, false]);
  assert.equal(page.$("tail").getAttribute("aria-pressed"), "false");
});

test("switched on again, it begins with an empty list", async () => {
  const { page, texts } = await follow();
  page.source.send("messages", { html: message(1) });
  await page.click(page.$("tail"));
  await page.click(page.$("tail"));
  assert.deepEqual([texts(), page.sources.length], [[], 2]);
});

test("the newest message is on top", async () => {
  const { page, texts } = await follow();
  page.source.send("messages", { html: message(2) + message(1), skipped: 0 });
  page.source.send("messages", { html: message(3), skipped: 0 });
  assert.deepEqual(texts(), ["message 3", "message 2", "message 1"]);
});

test("a hundred messages are shown, the newest", async () => {
  const { page, texts } = await follow();
  page.source.send("messages", { html: message("old"), skipped: 0 });
  page.source.send("messages", { html: Array.from({ length: 100 }, (_, number) => message(number)).join("") });
  assert.deepEqual([texts().length, texts()[0], texts()[99]], [100, "message 0", "message 99"]);
});

test("what was left out is told, and so is that it is over", async () => {
  const { page, state } = await follow();
  page.source.send("messages", { html: message(1), skipped: 1200 });
  assert.deepEqual(state(), ["Too many to show all: 1,200 were left out just now.", "warn"]);
  page.source.send("messages", { html: message(2), skipped: 0 });
  assert.deepEqual(state(), ["Every message is shown as it comes in.", "good"]);
});

test("the server's notes are told", async () => {
  const { page, state } = await follow();
  page.source.send("status", {});
  assert.deepEqual(state(), ["Every message is shown as it comes in.", "good"]);
  page.source.send("status", { notes: ["Partition 3 has no leader."] });
  assert.deepEqual(state(), ["Every message is shown as it comes in. Partition 3 has no leader.", "warn"]);
});

test("a lost connection is told", async () => {
  const { page, state } = await follow();
  page.source.fail(false);
  assert.deepEqual(state(), ["reconnecting", "bad"]);
  page.source.send("status", { notes: [] });
  assert.deepEqual(state(), ["Every message is shown as it comes in.", "good"]);
});

test("with too many viewers, it ends and says why", async () => {
  const { page, state } = await follow();
  page.source.send("busy", { reason: "There are 4 viewers already." });
  assert.deepEqual([page.source.readyState, ...state()], [2, "There are 4 viewers already.", "warn"]);
});

test("a page that is left has no connection", async () => {
  const { page } = await follow();
  await page.dispatch("pagehide");
  assert.equal(page.source.readyState, 2);
});

test("the event that a link points out is scrolled to, where there is one", async () => {
  const { page } = await open();
  assert.equal(page.document.scrolledTo, null);
  const linked = await open({ change: (html) => html.replace('<li class="', '<li id="event" class="') });
  assert.equal(linked.page.document.scrolledTo.id, "event");
});
