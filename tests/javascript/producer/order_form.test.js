import assert from "node:assert/strict";
import test from "node:test";
import { orderForm } from "../../../producer_service/producer/static/order_form.js";
import { settle } from "../fakes/clock.js";
import { held, unreachable } from "../fakes/network.js";
import { Page } from "../fakes/page.js";

const ORDER = { customer_name: "Ada", item: "Basic Tee", description: "", unit_price: "32.10", quantity: 3 };
const PLACED = { ...ORDER, id: "0192f3a4-0000-7000-8000-00000000abcd", total: "1096.30" };
const CREATED = { status: 201, json: PLACED };

function open(...answers) {
  const page = new Page("checkout");
  page.server.answer(...(answers.length ? answers : [CREATED]));
  const placed = [];
  const [form, result] = [page.$("order"), page.$("result")];
  orderForm(form, result, (order) => placed.push(order.id));
  const type = (fields) => {
    for (const [name, text] of Object.entries(fields)) {
      page.$(name).value = text;
      page.$(name).dispatch("input");
    }
  };
  const confirm = async () => {
    const event = form.dispatch("submit");
    await settle();
    return event;
  };
  const keys = () => page.server.requests.map(({ headers }) => headers["Idempotency-Key"]);
  type({ ...ORDER, quantity: "3" });
  return { page, type, confirm, keys, placed, result };
}

test("the summary follows the fields", () => {
  const { page, type } = open();
  const summary = () => ["summary-item", "summary-parts", "total"].map((id) => page.$(id).value || page.text(id));
  assert.deepEqual(summary(), ["Basic Tee", "3 × 32.10", "96.30"]);
  type({ item: "  ", quantity: "10000", unit_price: "0.1" });
  assert.deepEqual(summary(), ["No item yet", "10,000 × 0.10", "1,000.00"]);
  for (const wrong of [{ quantity: "0" }, { quantity: "3", unit_price: "1.005" }]) {
    type(wrong);
    assert.deepEqual(summary(), ["No item yet", "", "–"]);
  }
});

test("an order is sent as it was typed, without spaces around it, and the page stays", async () => {
  const { page, type, confirm, keys, placed } = open();
  type({ customer_name: " Ada " });
  const submit = await confirm();
  assert.ok(submit.isDefaultPrevented);
  const { url, method, body } = page.server.last;
  assert.deepEqual([url, method, body], ["/orders", "POST", ORDER]);
  assert.match(keys()[0], /.{32}/);
  assert.deepEqual(placed, [PLACED.id]);
});

test("a quantity that is no number is sent as it is, for the server to name the field", async () => {
  const { page, type, confirm } = open();
  for (const quantity of ["two", "1.5", "1e3", "", "9999999999"]) {
    type({ quantity });
    await confirm();
    assert.equal(page.server.last.body.quantity, quantity);
  }
});

test("the receipt has the server's total, the id and the way to the dashboard", async () => {
  const { page, confirm, result } = open();
  await confirm();
  assert.equal(
    result.textContent,
    "Order placed. Thank you!Order 0192f3a4…abcd · total 1,096.30See it on the live dashboard",
  );
  assert.equal(result.querySelector("a").href, page.$("dashboard").href);
  assert.equal(result.querySelector("a").rel, "noopener");
});

test("while an order is sent, Confirm does nothing more and keeps the focus", async () => {
  const [late, release] = held();
  const { page, confirm, result } = open(late);
  await confirm();
  await confirm();
  assert.deepEqual([page.server.requests.length, result.textContent], [1, "Placing the order…"]);
  assert.equal(page.$("confirm").getAttribute("aria-disabled"), "true");
  release(CREATED);
  await settle();
  assert.equal(page.$("confirm").hasAttribute("aria-disabled"), false);
});

test("an order whose outcome is not known is sent again with the same key", async () => {
  const { confirm, keys, result, page } = open(
    unreachable,
    { status: 503, json: { detail: "The database does not answer." } },
    { status: 409, json: { detail: "A request with this key is under way." } },
    CREATED,
  );
  await confirm();
  assert.equal(result.textContent, "The shop does not answer. Press Confirm order again: it will not be placed twice.");
  await page.clock.advance(60_000);
  await confirm();
  assert.equal(
    result.textContent,
    "The shop could not place the order: The database does not answer. Press Confirm order again: it will not be placed twice.",
  );
  await confirm();
  await confirm();
  assert.equal(new Set(keys()).size, 1);
  assert.match(result.textContent, /^Order placed/);
});

test("a double click is one order, a later press another", async () => {
  const { confirm, keys, page } = open();
  await confirm();
  await confirm();
  await page.clock.advance(2_000);
  await confirm();
  assert.deepEqual([keys()[0] === keys()[1], keys()[1] === keys()[2]], [true, false]);
});

test("a changed order is another order", async () => {
  const { confirm, keys, type } = open(unreachable);
  await confirm();
  type({ quantity: "4" });
  await confirm();
  assert.notEqual(keys()[0], keys()[1]);
});

test("the server's errors stand at their fields, and the first one has the focus", async () => {
  const errors = [
    { pointer: "/item", detail: "is empty" },
    { pointer: "/quantity", detail: "is not a number" },
    { pointer: "/colour", detail: "is not known" },
  ];
  const { page, type, confirm, result, placed } = open({ status: 422, json: { detail: "Not valid.", errors } });
  await confirm();
  assert.equal(result.textContent, "Not placed: please correct the marked fields. colour is not known.");
  assert.equal(result.querySelector("p").className, "bad");
  assert.deepEqual([page.text("item-error"), page.$("item-error").hidden], ["Item: is empty", false]);
  assert.equal(page.text("quantity-error"), "Quantity: is not a number");
  assert.equal(page.$("item").getAttribute("aria-invalid"), "true");
  assert.equal(page.$("customer_name-error").hidden, true);
  assert.equal(page.document.activeElement.id, "item");
  type({ item: "Mug" });
  assert.deepEqual([page.$("item-error").hidden, page.$("item").hasAttribute("aria-invalid")], [true, false]);
  assert.equal(page.$("quantity-error").hidden, false);
  assert.deepEqual(placed, []);
});

test("marks of the last attempt are gone in the next one", async () => {
  const wrong = { status: 422, json: { detail: "Not valid.", errors: [{ pointer: "/item", detail: "is empty" }] } };
  const { page, confirm } = open(wrong, CREATED);
  await confirm();
  await confirm();
  assert.deepEqual([page.$("item-error").hidden, page.$("item").hasAttribute("aria-invalid")], [true, false]);
});

test("a refusal without fields is told in the server's words", async () => {
  const { confirm, result } = open({ status: 403, json: { detail: "A page of another origin may not." } });
  await confirm();
  assert.equal(result.textContent, "Not placed: A page of another origin may not.");
});
