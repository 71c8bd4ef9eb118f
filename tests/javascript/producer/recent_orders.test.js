import assert from "node:assert/strict";
import test from "node:test";
import { ErrorResponse, Unreachable } from "../../../producer_service/producer/static/api.js";
import { held, unreachable } from "../fakes/network.js";
import { Page } from "../fakes/page.js";

const STATIC = "../../../producer_service/producer/static";

const order = (id, changes = {}) => ({
  id: `0192f3a4-0000-7000-8000-0000000000${id}`,
  customer_name: "Ada",
  item: "Basic Tee",
  description: "",
  unit_price: "1032.10",
  quantity: 3,
  total: "3096.30",
  status: "placed",
  version: 1,
  created_at: "2026-11-22T13:59:20Z",
  ...changes,
});
const list = (...orders) => ({ json: { orders, next: null } });

/** Open the checkout page. Its table of transitions is the one that the server has rendered. */
async function open(...answers) {
  const page = new Page("checkout");
  page.server.answer(...answers);
  await page.run(new URL(`${STATIC}/checkout.js`, import.meta.url));
  return page;
}

const rows = (page) => page.$("recent").rows;
const cellOf = (row, name) => row.cells.find((cell) => cell.dataset.cell === name);
const buttons = (row) => cellOf(row, "next").querySelectorAll("button");
const labels = (row) => buttons(row).map((button) => button.textContent);
const customers = (page) => rows(page).map((row) => cellOf(row, "customer").textContent);

test("an order's row shows what was ordered, in the column of its name", async () => {
  const page = await open(list(order("01", { description: "red" })));
  const [row] = rows(page);
  const shown = ["order", "customer", "item", "quantity", "total", "status", "placed"].map(
    (name) => cellOf(row, name).textContent,
  );
  assert.deepEqual(shown, ["0192f3a4…0001", "Ada", "Basic Teered", "3 × 1,032.10", "3,096.30", "placed", "40 s ago"]);
  assert.equal(row.querySelector(".status").dataset.status, "placed");
  assert.equal(row.cells.length, page.document.querySelectorAll("th").length);
  assert.deepEqual([page.server.last.url, page.$("recent-state").dataset.state], ["/orders?limit=20", "live"]);
});

test("a status leads to the steps that the server allows, and to no other", async () => {
  const page = await open(
    list(
      ...["placed", "confirmed", "shipped", "delivered", "cancelled"].map((status, n) => order(`0${n}`, { status })),
    ),
  );
  assert.deepEqual(rows(page).map(labels), [["Confirm", "Cancel"], ["Ship", "Cancel"], ["Deliver"], [], []]);
  assert.deepEqual(
    buttons(rows(page)[0]).map((button) => button.className),
    ["button step", "button cancel"],
  );
  assert.equal(buttons(rows(page)[0])[0].getAttribute("aria-label"), "Confirm the order of Ada, Basic Tee");
});

test("a status of a later version of the shop has a button too", async () => {
  const page = new Page("checkout", {
    change: (html) =>
      html.replace(/data-transitions="[^"]*"/, `data-transitions="{&#34;placed&#34;: [&#34;returned&#34;]}"`),
  });
  const { transitions } = await page.run(new URL(`${STATIC}/lifecycle.js`, import.meta.url));
  assert.deepEqual(transitions("placed"), [["Mark as returned", "returned"]]);
  assert.deepEqual(transitions("unheard of"), []);
});

test("a step is taken only if the order is still as it is shown", async () => {
  const page = await open(list(order("01", { version: 4 })), {
    json: order("01", { version: 5, status: "confirmed" }),
  });
  page.server.answer(
    { json: order("01", { version: 5, status: "confirmed" }) },
    list(order("01", { version: 5, status: "confirmed" })),
  );
  await page.click(buttons(rows(page)[0])[0]);
  const [, patch] = page.server.requests;
  assert.deepEqual(
    [patch.method, patch.url, patch.body],
    ["PATCH", `/orders/${order("01").id}`, { status: "confirmed" }],
  );
  assert.equal(patch.headers["If-Match"], '"4"');
  assert.deepEqual(
    [cellOf(rows(page)[0], "status").textContent, labels(rows(page)[0])],
    ["confirmed", ["Ship", "Cancel"]],
  );
  assert.equal(page.server.requests.length, 3); // the list is asked for at once
});

for (const [status, detail, note] of [
  [412, "stale", "Somebody else has changed this order in the meantime. The row shows it as it is now."],
  [409, "A shipped order cannot be cancelled.", "The status was not changed: A shipped order cannot be cancelled."],
  [
    503,
    "The database does not answer.",
    "The database does not answer. As soon as the shop is back, the row shows whether the status was changed.",
  ],
]) {
  test(`a step that was answered with ${status} says so in the row`, async () => {
    const page = await open(list(order("01")));
    page.server.answer({ status, json: { detail } }, list(order("01")));
    await page.click(buttons(rows(page)[0])[0]);
    assert.equal(cellOf(rows(page)[0], "next").querySelector(".note").textContent, note);
    assert.equal(page.server.requests.length, 3);
  });
}

test("why a status was not changed, or may have been", async () => {
  const page = await open(list());
  const { describeFailure } = await page.run(new URL(`${STATIC}/lifecycle.js`, import.meta.url));
  assert.match(describeFailure(new Unreachable()), /^The shop does not answer\. As soon as the shop is back/);
  assert.match(describeFailure(new ErrorResponse(500, null)), /the row shows whether/);
  assert.match(describeFailure(new ErrorResponse(499, null)), /^The status was not changed/);
});

test("while a step is taken, another press does nothing", async () => {
  const page = await open(list(order("01")));
  const [late, release] = held();
  page.server.answer(late, list(order("01")));
  const [button] = buttons(rows(page)[0]);
  await page.click(button);
  await page.click(button);
  assert.equal(page.server.requests.length, 2);
  release({ json: order("01", { version: 2 }) });
  await page.clock.advance(0);
});

test("rows follow the server's order, stay the same nodes, and only new and changed ones flash", async () => {
  const page = await open(list(order("02"), order("01")));
  const before = rows(page);
  assert.ok(before.every((row) => !row.classList.contains("fresh")));
  page.server.answer(list(order("03"), order("01", { version: 2, status: "confirmed" })));
  await page.clock.advance(2_000);
  const after = rows(page);
  assert.deepEqual([after.length, after[1] === before[1]], [2, true]);
  assert.deepEqual(
    after.map((row) => row.classList.contains("fresh")),
    [true, true],
  );
  assert.equal(cellOf(after[1], "status").textContent, "confirmed");
});

test("an answer that is older than what is shown changes nothing", async () => {
  const page = await open(list(order("01", { version: 3, status: "shipped" })));
  page.server.answer(list(order("01", { version: 2, status: "confirmed" })));
  await page.clock.advance(2_000);
  assert.equal(cellOf(rows(page)[0], "status").textContent, "shipped");
});

test("under a pointer on a button, rows change and do not move", async () => {
  const page = await open(list(order("01")));
  cellOf(rows(page)[0], "next").querySelector(".actions").isHovered = true;
  page.server.answer(list(order("02", { customer_name: "Bo" }), order("01", { version: 2, status: "confirmed" })));
  await page.clock.advance(2_000);
  assert.deepEqual([customers(page), cellOf(rows(page)[0], "status").textContent], [["Ada"], "confirmed"]);
  assert.equal(page.$("recent-state").dataset.state, "paused");
  page.canHover = false; // a finger leaves a hover behind
  await page.clock.advance(2_000);
  assert.deepEqual(customers(page), ["Bo", "Ada"]);
});

test("without orders, the page says what to do", async () => {
  const page = await open(list());
  assert.deepEqual([page.$("recent-empty").hidden, page.$("recent").parentElement.hidden], [false, true]);
  page.server.answer(list(order("01")));
  await page.clock.advance(2_000);
  assert.deepEqual([page.$("recent-empty").hidden, page.$("recent").parentElement.hidden], [true, false]);
});

test("a shop that is away is told, and the rows stay", async () => {
  const page = await open(list(order("01")));
  page.server.answer(unreachable, list());
  await page.clock.advance(2_000);
  assert.deepEqual([page.$("recent-state").dataset.state, rows(page).length], ["away", 1]);
  await page.clock.advance(2_000);
  assert.equal(page.$("recent-state").dataset.state, "live");
});

test("a placed order asks for the list at once", async () => {
  const page = await open(list());
  page.server.answer({ status: 201, json: order("01") }, list(order("01")));
  page.$("order").dispatch("submit");
  await page.clock.advance(0);
  assert.deepEqual(page.server.requests.map(({ url }) => url).slice(1), ["/orders", "/orders?limit=20"]);
});

test("a focus stays in its row when the buttons change, also when none is left", async () => {
  const page = await open(list(order("01", { status: "confirmed" })));
  const [row] = rows(page);
  buttons(row)[0].focus();
  page.server.answer(list(order("01", { version: 2, status: "shipped" })));
  await page.clock.advance(2_000);
  assert.equal(page.document.activeElement, buttons(row)[0]);
  page.server.answer(list(order("01", { version: 3, status: "delivered" })));
  await page.clock.advance(2_000);
  assert.equal(page.document.activeElement, row.querySelector("button.id"));
});
