import assert from "node:assert/strict";
import test from "node:test";
import { Page } from "../fakes/page.js";

const SCRIPT = "../../../consumer_service/consumer/static/table.js";
const MESSAGES = "http://localhost:8080/topics/orders/messages";
const NOW = Date.parse("2026-11-22T14:00:00Z");

async function open({ kafkaUi = false } = {}) {
  const page = new Page("dashboard", {
    change: (html) => html.replace(/data-messages="[^"]*"/, `data-messages="${kafkaUi ? MESSAGES : ""}"`),
  });
  const { Table, ...module } = await page.run(new URL(SCRIPT, import.meta.url));
  return { page, ...module, body: page.$("rows"), table: new Table(page.$("rows"), () => NOW) };
}

const placed = (id, data = {}) => ({
  id,
  type: "order.placed",
  subject: `order-${id}`,
  time: "2026-11-22T13:59:20Z",
  data: { customer_name: "Ada", item: "Basic Tee", unit_price: "32.00", quantity: 2, status: "placed", ...data },
});
const many = (count, from = 0) => Array.from({ length: count }, (_, number) => placed(`${from + number}`));
const ids = (body) => body.rows.map((row) => row.eventId);
const texts = (row) => row.cells.map((cell) => cell.textContent);

test("each field is in the column of its name", async () => {
  const { body, table, page } = await open();
  table.addNewest([placed("1", { order_id: "0192f3a4-0000-7000-8000-00000000abcd" })]);
  assert.deepEqual(texts(body.rows[0]), [
    "order.placed",
    "0192f3a4…abcd",
    "Ada",
    "Basic Tee",
    "32.00",
    "2",
    "placed",
    "40 s ago",
  ]);
  assert.deepEqual(
    body.rows[0].cells.map((cell) => cell.dataset.label),
    page.document.querySelectorAll("th").map((heading) => heading.textContent),
  );
  assert.deepEqual(
    body.rows[0].cells.map((cell) => cell.className),
    page.document.querySelectorAll("th").map((heading) => heading.className),
  );
});

test("what an event lacks is a dash, and 0 is a number", async () => {
  const { body, table } = await open();
  table.addNewest([
    { id: "1", type: "order.other", subject: "s", data: { quantity: 0 } },
    { id: "2", type: "x" },
  ]);
  assert.deepEqual(texts(body.rows[1]), ["order.other", "s", "–", "–", "–", "0", "–", "–"]);
  assert.ok(body.rows[1].cells[2].classList.contains("none"));
  assert.ok(!body.rows[1].cells[5].classList.contains("none"));
});

test("a test event shows its message, and no order", async () => {
  const { body, table } = await open();
  table.addNewest([
    { id: "1", type: "test.event", subject: "1", time: "2026-11-22T14:00:00Z", data: { message: "Hi" } },
  ]);
  assert.deepEqual(texts(body.rows[0]), ["test.event", "–", "Hi", "–", "–", "–", "–", "just now"]);
  assert.equal(body.rows[0].cells[0].firstChild.className, "chip test");
});

test("the newest event is on top, and older ones are below", async () => {
  const { body, table } = await open();
  table.addNewest(many(2));
  table.addNewest(many(2, 2));
  assert.equal(table.addOlder([placed("old"), placed("older")]), 2);
  assert.deepEqual(ids(body), ["3", "2", "1", "0", "old", "older"]);
});

test("an event has one row, wherever it came from", async () => {
  const { body, table } = await open();
  table.addNewest(many(2));
  table.addNewest(many(2));
  assert.equal(table.addOlder([placed("1"), placed("old")]), 1);
  assert.deepEqual(ids(body), ["1", "0", "old"]);
});

test("the table holds a thousand rows: the oldest go first, and may come back", async () => {
  const { body, table } = await open();
  table.addNewest(many(999));
  table.addNewest(many(3, 999));
  assert.deepEqual([table.size, ids(body).at(0), ids(body).at(-1)], [1000, "1001", "2"]);
  table.addNewest([placed("0")]);
  assert.equal(ids(body)[0], "0");
  table.addNewest(many(1200, 5000));
  assert.deepEqual([table.size, ids(body).at(0), ids(body).at(-1)], [1000, "6199", "5200"]);
});

test("history fills the table up and does not push anything out", async () => {
  const { body, table } = await open();
  table.addNewest(many(998));
  assert.equal(table.addOlder([placed("a"), placed("b"), placed("c")]), 2);
  assert.deepEqual(ids(body).slice(-2), ["a", "b"]);
  assert.equal(table.addOlder([placed("d")]), 0);
  assert.equal(table.size, 1000);
});

test("a cleared table is empty and shows the same events again", async () => {
  const { table } = await open();
  table.addNewest(many(3));
  table.clear();
  assert.equal(table.size, 0);
  table.addNewest(many(3));
  assert.equal(table.size, 3);
});

test("new rows flash, unless they are too many; old ones do not", async () => {
  const { body, table } = await open();
  const flashing = () => body.rows.filter((row) => row.className === "new").length;
  table.addNewest(many(25));
  table.addOlder([placed("old")]);
  assert.equal(flashing(), 25);
  table.clear();
  table.addNewest(many(26));
  assert.equal(flashing(), 0);
});

test("a time is relative, exact when pointed at, and is refreshed", async () => {
  const { body, table } = await open();
  table.addNewest([placed("1"), { ...placed("2"), time: "soon" }]);
  const [odd, row] = body.rows;
  const time = row.lastElementChild.lastElementChild;
  assert.deepEqual([time.tagName, time.dateTime, time.textContent], ["time", "2026-11-22T13:59:20Z", "40 s ago"]);
  table.refreshTimes(NOW + 30_000);
  assert.deepEqual([time.textContent, odd.lastElementChild.textContent], ["1 min ago", "–"]);
  time.dispatch("pointerover");
  assert.equal(row.lastElementChild.title, "11/22/2026, 1:59:20 PM (2026-11-22T13:59:20Z)");
});

test("a cell that may be cut off has its full text when pointed at", async () => {
  const { body, table } = await open();
  table.addNewest([placed("1", { order_id: "0192f3a4-0000-7000-8000-00000000abcd", item: "A long name" })]);
  const [, order, , item] = body.rows[0].cells;
  item.dispatch("pointerover");
  order.firstChild.dispatch("pointerover");
  assert.deepEqual([item.title, order.title], ["A long name", "0192f3a4-0000-7000-8000-00000000abcd – click to copy"]);
});

test("an id is short only if it is long, and copied in full", async () => {
  const { page, body, table } = await open();
  const id = "0192f3a4-0000-7000-8000-00000000abcd";
  table.addNewest([placed("1", { order_id: "fourteen-chars" }), placed("2", { order_id: id })]);
  const button = body.rows[0].querySelector("button[data-copy]");
  assert.equal(body.rows[1].querySelector("button").textContent, "fourteen-chars");
  assert.equal(button.getAttribute("aria-label"), "0192f3a4…abcd: copy order ID");
  await page.click(button);
  assert.deepEqual(page.clipboard, [id]);
  assert.deepEqual([button.textContent, button.getAttribute("aria-label")], ["copied", "Order ID copied"]);
  await page.clock.advance(1_200);
  assert.deepEqual(
    [button.textContent, button.getAttribute("aria-label")],
    ["0192f3a4…abcd", "0192f3a4…abcd: copy order ID"],
  );
});

test("without a clipboard, the full id is there to be selected", async () => {
  const { page, body, table } = await open();
  page.hasClipboard = false;
  const id = "0192f3a4-0000-7000-8000-00000000abcd";
  table.addNewest([placed("1", { order_id: id })]);
  await page.click(body.rows[0].querySelector("button"));
  await page.clock.advance(60_000);
  assert.equal(body.rows[0].querySelector("button").textContent, id);
});

test("with a Kafka UI, a row leads to its message and to those of its order", async () => {
  const { body, table } = await open({ kafkaUi: true });
  table.addNewest([{ ...placed("e1"), subject: "o1" }]);
  const [event, order] = body.rows[0].querySelectorAll("a").map((link) => new URL(link.href));
  assert.deepEqual([event.searchParams.get("event"), event.searchParams.get("key")], ["e1", "o1"]);
  assert.deepEqual([order.searchParams.get("key"), order.searchParams.get("mode")], ["o1", "EARLIEST"]);
});

test("links say where they lead, also to who cannot see them", async () => {
  const { body, table } = await open({ kafkaUi: true });
  table.addNewest([placed("e1", { order_id: "0192f3a4-0000-7000-8000-00000000abcd" })]);
  const [event, order] = body.rows[0].querySelectorAll("a");
  assert.deepEqual([event.textContent, event.title], ["order.placed", "This message in Kafka UI"]);
  assert.deepEqual(
    [order.textContent, order.className, order.title, order.getAttribute("aria-label")],
    [
      "↗",
      "to-kafka",
      "All messages of this order in Kafka UI",
      "0192f3a4…abcd: all messages of this order in Kafka UI",
    ],
  );
});

test("a row is a row and a cell a cell, also where the stylesheet makes cards of them", async () => {
  const { body, table } = await open();
  table.addNewest([placed("1")]);
  const [row] = body.rows;
  assert.deepEqual([row.tagName, row.role], ["tr", "row"]);
  assert.ok(row.cells.every((cell) => cell.tagName === "td" && cell.role === "cell"));
  assert.deepEqual([row.cells[0].firstChild.tagName, row.cells[0].firstChild.className], ["span", "chip"]);
  const [button] = row.querySelectorAll("button");
  assert.deepEqual([button.type, button.className], ["button", "id"]);
});

test("without a Kafka UI there are no links", async () => {
  const { body, table } = await open();
  table.addNewest([placed("1")]);
  assert.deepEqual(body.rows[0].querySelectorAll("a"), []);
});

test("markup in an event stays text", async () => {
  const { body, table } = await open();
  table.addNewest([placed("1", { item: "<b>x</b>" })]);
  const [item] = body.rows[0].querySelectorAll(".c-item");
  assert.deepEqual([item.textContent, item.children], ["<b>x</b>", []]);
});

test("an age has the largest unit that fits", async () => {
  const { ago } = await open();
  const ages = [-5_000, 0, 1_400, 1_500, 59_400, 59_500, 3_599_000, 3_600_000, 86_399_000, 86_400_000, 3 * 86_400_000];
  assert.deepEqual(
    ages.map((age) => ago(NOW - age, NOW)),
    [
      "just now",
      "just now",
      "just now",
      "2 s ago",
      "59 s ago",
      "1 min ago",
      "59 min ago",
      "1 h ago",
      "23 h ago",
      "1 d ago",
      "3 d ago",
    ],
  );
  assert.equal(ago(NaN, NOW), "–");
});

const of = (id, second) => ({ ...placed(id), time: `2026-11-22T13:59:${second}Z` });

test("events are put where their times belong", async () => {
  const { body, table } = await open();
  table.addNewest([of("a", "10"), of("c", "30")]);
  assert.equal(table.insert([of("b", "20"), of("d", "40"), of("z", "05"), of("c", "30")]), 3);
  assert.deepEqual(ids(body), ["d", "c", "b", "a", "z"]);
});

test("the oldest rows go when events are put between the others of a full table", async () => {
  const { body, table, MAX_ROWS } = await open();
  table.addNewest(many(MAX_ROWS));
  assert.equal(table.insert([{ ...placed("x"), time: "2026-11-22T13:59:30Z" }]), 1);
  assert.deepEqual([table.size, ids(body)[0], ids(body).includes("0")], [MAX_ROWS, "x", false]);
});

const ago = (id, seconds) => ({ ...placed(id), time: new Date(NOW - seconds * 1_000).toISOString() });

test("live events of the last seconds are in order of time, and one from another time is on top", async () => {
  const { body, table } = await open();
  table.addNewest([ago("a", 3), ago("b", 1)]);
  table.addNewest([ago("late", 2)]);
  assert.deepEqual(ids(body), ["b", "late", "a"]);
  table.addNewest([ago("old", 3_600)]);
  table.addNewest([ago("future", -3_600)]);
  assert.deepEqual(ids(body).slice(0, 2), ["future", "old"]);
});

for (const time of ["+275760-09-13T00:00:00.000Z", "2027-01-01T00:00:00Z", "soon", "1970-01-01T00:00:00Z"]) {
  const wrong = (id) => ({ ...placed(id), time });

  test(`an event of a wrong clock (${time}) stays where it has arrived`, async () => {
    const { body, table, page } = await open();
    table.addOlder([ago("c", 20), wrong("in the history"), ago("b", 30), ago("a", 40)]);
    table.addNewest([ago("d", 1), wrong("live")]);
    await page.clock.advance(1_000);
    table.addNewest([ago("e", -1)]);
    assert.deepEqual(ids(body), ["e", "live", "d", "c", "in the history", "b", "a"]);
  });

  test(`what was missed is put where it belongs beside an event of a wrong clock (${time})`, async () => {
    const { body, table } = await open();
    table.addOlder([ago("a", 10), ago("b", 20), wrong("wrong"), ago("d", 30), ago("e", 40)]);
    table.insert([ago("missed", 15)]);
    assert.deepEqual(ids(body), ["a", "missed", "b", "wrong", "d", "e"]);
  });
}

test("events that are no news do not flash", async () => {
  const { body, table } = await open();
  const classes = () => Array.from(body.rows, (row) => row.className);
  table.addNewest([ago("a", 50)], { areNews: false });
  assert.deepEqual(classes(), [""]);
  table.addNewest([ago("b", 1)]);
  assert.deepEqual(classes(), ["new", ""]);
});

test("what a page catches up with is newest first", async () => {
  const { body, table } = await open();
  table.addNewest([ago("a", 50), ago("b", 20), ago("c", 3), ago("d", 1)]);
  assert.deepEqual(ids(body), ["d", "c", "b", "a"]);
});

test("an event without a readable time is where it has arrived", async () => {
  const { body, table } = await open();
  table.addNewest([ago("a", 1)]);
  table.addNewest([{ ...placed("b"), time: "soon" }]);
  table.addNewest([ago("c", 0)]);
  assert.deepEqual(ids(body), ["c", "b", "a"]);
});

const moved = (order, version, status) => ({
  ...placed(`${order}-${version}`, { version, status }),
  type: `order.${status}`,
  subject: order,
});

test("with one row per order, one that changes in place flashes only if that is news", async () => {
  const { body, table } = await open();
  table.isOfOrders = true;
  table.addNewest([moved("x", 1, "placed")], { areNews: false });
  table.addNewest([moved("x", 2, "confirmed")], { areNews: false });
  assert.equal(body.rows[0].className, "");
  table.addNewest([moved("x", 3, "shipped")]);
  assert.equal(body.rows[0].className, "new");
});

test("with one row per order, a row changes in place when its order moves on", async () => {
  const { body, table } = await open();
  table.isOfOrders = true;
  table.addNewest([moved("x", 1, "placed"), moved("y", 1, "placed")]);
  table.addNewest([moved("x", 2, "confirmed"), moved("x", 3, "shipped")]);
  assert.deepEqual(ids(body), ["y-1", "x-3"]);
  assert.equal(texts(body.rows[1])[6], "shipped");
  assert.equal(table.addOlder([moved("x", 2, "confirmed"), moved("z", 1, "placed")]), 1);
  assert.deepEqual(ids(body), ["y-1", "x-3", "z-1"]);
});

test("with one row per order, an order may come and move on in one frame", async () => {
  const { body, table } = await open();
  table.isOfOrders = true;
  table.addNewest([moved("x", 1, "placed"), moved("x", 2, "confirmed"), moved("y", 1, "placed")]);
  assert.deepEqual(ids(body), ["y-1", "x-2"]);
});

test("an order whose row has left a full table gets a new one", async () => {
  const { body, table, MAX_ROWS } = await open();
  table.isOfOrders = true;
  table.addNewest([moved("x", 1, "placed")]);
  table.addNewest(many(MAX_ROWS));
  assert.equal(ids(body).includes("x-1"), false);
  table.addNewest([moved("x", 2, "confirmed")]);
  assert.equal(ids(body)[0], "x-2");
});

test("older events that find no room may come again when there is", async () => {
  const { table, MAX_ROWS } = await open();
  table.addNewest(many(MAX_ROWS - 1));
  assert.equal(table.addOlder([placed("p"), placed("q")]), 1);
  table.clear();
  assert.equal(table.addOlder([placed("q")]), 1);
});
