import assert from "node:assert/strict";
import test from "node:test";
import { unreachable } from "../fakes/network.js";
import { Page } from "../fakes/page.js";

const SCRIPT = new URL("../../../kafka_page/kafka_ui/static/refresh.js", import.meta.url);
const html = (verdict, count) =>
  `<p id="stale" hidden></p><section data-live="verdict"><b id="verdict">${verdict}</b></section>` +
  `<section data-live="count"><a id="link">${count}</a></section>`;
const answer = (...parts) => ({ text: html(...parts) });

async function open(...answers) {
  const page = new Page("cluster", { html: html("All is well", 1) });
  page.server.answer(...answers);
  await page.run(SCRIPT);
  return page;
}

test("every two seconds the page is asked for again, and what has changed is replaced", async () => {
  const page = await open(answer("A broker is away", 1));
  const [verdict, link] = [page.$("verdict"), page.$("link")];
  await page.clock.advance(1_999);
  assert.equal(page.server.requests.length, 0);
  await page.clock.advance(1);
  assert.equal(page.server.last.url, "http://localhost/");
  assert.deepEqual([page.text("verdict"), page.$("verdict") === verdict], ["A broker is away", false]);
  assert.equal(page.$("link"), link); // unchanged: the node stays
  await page.clock.advance(2_000);
  assert.equal(page.server.requests.length, 2);
});

test("a part under the reader's focus or selection stays as it is", async () => {
  const page = await open(answer("Gone", 2));
  page.$("link").focus();
  await page.clock.advance(2_000);
  assert.deepEqual([page.text("link"), page.text("verdict")], ["1", "Gone"]);
  page.document.activeElement = page.document.body;
  globalThis.getSelection = () => ({ isCollapsed: false, containsNode: (part) => part.dataset.live === "count" });
  await page.clock.advance(2_000);
  assert.equal(page.text("link"), "1");
  globalThis.getSelection = () => ({ isCollapsed: true, containsNode: () => true });
  await page.clock.advance(2_000);
  assert.equal(page.text("link"), "2");
});

for (const [name, failure] of [
  ["without an answer", unreachable],
  ["with an error", { status: 503, text: html("An error", 0) }],
]) {
  test(`${name}, the page says that it is not up to date, shows what it had, and keeps trying`, async () => {
    const page = await open(failure, answer("Back", 1));
    await page.clock.advance(2_000);
    assert.deepEqual([page.$("stale").hidden, page.text("verdict")], [false, "All is well"]);
    await page.clock.advance(2_000);
    assert.deepEqual([page.$("stale").hidden, page.text("verdict")], [true, "Back"]);
  });
}

test("a hidden page asks for nothing", async () => {
  const page = await open(answer("x", 1));
  await page.hide(true);
  await page.clock.advance(10_000);
  assert.equal(page.server.requests.length, 0);
  await page.hide(false);
  await page.clock.advance(2_000);
  assert.equal(page.server.requests.length, 1);
});
