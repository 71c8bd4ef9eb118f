import assert from "node:assert/strict";
import test from "node:test";
import { ErrorResponse, Unreachable } from "../../../producer_service/producer/static/api.js";
import { copyButton, shortId } from "../../../producer_service/producer/static/copy_id.js";
import { element, setText } from "../../../producer_service/producer/static/element.js";
import { ShopState } from "../../../producer_service/producer/static/shop_state.js";
import { ago, refreshTimesEverySecond, timeElement } from "../../../producer_service/producer/static/time.js";
import { Page } from "../fakes/page.js";

const ID = "0192f3a4-0000-7000-8000-00000000abcd";

test("an age has the largest unit that fits", () => {
  const now = Date.parse("2026-11-22T14:00:00Z");
  const ages = [-5_000, 0, 2_400, 2_500, 59_400, 60_000, 3_599_000, 3_600_000, 86_399_000, 86_400_000, 300_000_000];
  assert.deepEqual(
    ages.map((age) => ago(now - age, now)),
    [
      "just now",
      "just now",
      "just now",
      "3 s ago",
      "59 s ago",
      "1 min ago",
      "59 min ago",
      "1 h ago",
      "23 h ago",
      "1 d ago",
      "3 d ago",
    ],
  );
});

test("a time is relative, and exact when pointed at", () => {
  const page = new Page("checkout");
  assert.equal(page.document.hidden, false);
  const time = timeElement("2026-11-22T13:59:00Z");
  assert.deepEqual([time.tagName, time.dateTime, time.textContent], ["time", "2026-11-22T13:59:00Z", "1 min ago"]);
  assert.match(time.title, /^Nov 22, 2026, 1:59:00\sPM$/);
});

test("times grow every second, unless the page is hidden", async () => {
  const page = new Page("checkout");
  const parent = element("p", {}, timeElement("2026-11-22T13:59:50Z"));
  refreshTimesEverySecond(parent);
  await page.clock.advance(1_000);
  assert.equal(parent.textContent, "11 s ago");
  page.document.hidden = true;
  await page.clock.advance(5_000);
  assert.equal(parent.textContent, "11 s ago");
});

test("a text is set once, and never read as HTML", () => {
  const page = new Page("checkout");
  assert.ok(page);
  const node = element("p", { className: "a", role: "status", "data-x": "1" }, "<b>");
  assert.deepEqual([node.textContent, node.children.length, node.className], ["<b>", 0, "a"]);
  assert.deepEqual([node.getAttribute("role"), node.dataset.x], ["status", "1"]);
  const before = node.firstChild;
  setText(node, "<b>");
  assert.equal(node.firstChild, before);
  setText(node, "<i>");
  assert.deepEqual([node.textContent, node.children.length], ["<i>", 0]);
});

test("an id is short to read, and copied in full", async () => {
  const page = new Page("checkout");
  assert.equal(shortId(ID), "0192f3a4…abcd");
  const [button, note] = copyButton(ID).children;
  assert.deepEqual([button.textContent, button.title], ["0192f3a4…abcd", `Copy ${ID}`]);
  assert.equal(button.getAttribute("aria-label"), `Copy order ID ${ID}`);
  await page.click(button);
  assert.deepEqual([page.clipboard, note.textContent], [[ID], "copied"]);
  await page.clock.advance(1_500);
  assert.equal(note.textContent, "");
});

test("without a clipboard, the full id is shown long enough to be selected", async () => {
  const page = new Page("checkout");
  page.hasClipboard = false;
  const [button, note] = copyButton(ID).children;
  await page.click(button);
  await page.clock.advance(29_000);
  assert.equal(note.textContent, ID);
  await page.clock.advance(1_000);
  assert.equal(note.textContent, "");
});

test("how current the list is stays true when the shop is away", async () => {
  const page = new Page("checkout");
  const [node, label] = [page.$("recent-state"), page.$("recent-word")];
  const state = new ShopState(node, label);
  const shown = () => [node.dataset.state, label.textContent];
  state.showFailure(new Unreachable());
  assert.deepEqual(shown(), ["away", "cannot reach the shop · trying again every 2 s"]);
  state.showLive();
  assert.deepEqual(shown(), ["live", "live"]);
  await page.clock.advance(60_000);
  state.showPaused();
  assert.deepEqual(shown(), ["paused", "paused while you point at a button"]);
  state.showFailure(new ErrorResponse(503, { detail: "The database does not answer." }));
  assert.deepEqual(shown(), [
    "away",
    "the shop has a problem: The database does not answer · last updated 14:00:00 · trying again every 2 s",
  ]);
});
