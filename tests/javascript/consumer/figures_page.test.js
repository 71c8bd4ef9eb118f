import assert from "node:assert/strict";
import test from "node:test";
import { Page } from "../fakes/page.js";

const SCRIPT = new URL("../../../consumer_service/consumer/static/figures_page.js", import.meta.url);
const POSITION = "AAAAAAAAAAAAAAAAAAAAAA;0:3,1:0";
const NOW = Date.parse("2026-11-22T14:00:00Z"); // as the fake clock begins

/** Figures that are so many seconds old. */
function figures(age = 0, changes = {}) {
  return {
    time: new Date(NOW - age * 1_000).toISOString(),
    orders: 4,
    events: 6,
    by_status: { cancelled: 1, delivered: 2, placed: 1 },
    revenue: "1234.50",
    as_of: { 0: 6 },
    minutes: [
      { minute: "2026-11-22T13:58:00Z", events: 3, by_status: { placed: 3 }, revenue: "1250.00" },
      { minute: "2026-11-22T13:59:00Z", events: 0, by_status: {}, revenue: "0.00" },
      { minute: "2026-11-22T14:00:00Z", events: 3, by_status: { placed: 1, cancelled: 1 }, revenue: "-15.50" },
    ],
    items: [
      { item: "Basic Tee", orders: 2, quantity: 4, revenue: "1200.00" },
      { item: "Mug", orders: 1, quantity: 1, revenue: "34.50" },
    ],
    ...changes,
  };
}

/** Open the page; rendered: the figures that the server has put into it, null for none. */
async function open(rendered = figures(), name = "figures-none") {
  const escaped = rendered ? JSON.stringify(rendered).replaceAll('"', "&#34;") : "";
  const page = new Page(name, {
    change: (html) =>
      html
        .replace('data-stats=""', `data-stats="${escaped}"`)
        .replace(/data-time="[^"]*"/, 'data-time="2026-11-22T14:00:00Z"'),
  });
  await page.run(SCRIPT);
  return page;
}

const all = (page, selector) => page.document.querySelectorAll(selector);
const texts = (page, selector) => all(page, selector).map((node) => node.textContent);
const table = (page, name) => page.$(`${name}-numbers`).rows.map((row) => row.cells.map((cell) => cell.textContent));
const heights = (page, name) =>
  page
    .$(`${name}-chart`)
    .querySelectorAll(".column")
    .map((node) => node.getAttribute("height"));

test("figures that the server has rendered are drawn at once, before the stream has begun", async () => {
  const page = await open();
  assert.equal(page.source.url, `/stream?from=${encodeURIComponent(POSITION)}&stats=1`);
  assert.deepEqual(
    ["orders", "events", "revenue", "hour", "as-of", "age"].map((id) => page.text(id)),
    ["4", "6 events counted", "1,234.50", "4", "2:00:00 PM", "up to date"],
  );
  assert.deepEqual([page.$("charts").hidden, page.$("empty").hidden, page.$("outdated").hidden], [false, true, true]);
  assert.deepEqual(heights(page, "orders"), ["100%", "0%", "33.33%"]);
});

test("the tables have the numbers of the charts, the newest minute first", async () => {
  const page = await open();
  assert.deepEqual(table(page, "orders"), [
    ["2:00 PM", "1", "3"],
    ["1:59 PM", "0", "0"],
    ["1:58 PM", "3", "3"],
  ]);
  assert.deepEqual(table(page, "revenue"), [
    ["2:00 PM", "-15.50"],
    ["1:59 PM", "0.00"],
    ["1:58 PM", "1,250.00"],
  ]);
  assert.deepEqual(table(page, "statuses"), [
    ["placed", "1", "25%"],
    ["delivered", "2", "50%"],
    ["cancelled", "1", "25%"],
  ]);
  assert.deepEqual(table(page, "items"), [
    ["Basic Tee", "2", "4", "1,200.00"],
    ["Mug", "1", "1", "34.50"],
  ]);
});

test("new figures are drawn as they come, those of an order's next event too", async () => {
  const page = await open();
  page.source.send("message", { id: "1", type: "order.placed", subject: "o", data: {} }, POSITION);
  page.source.send("stats", figures(-1, { orders: 5, by_status: { placed: 5 } }));
  assert.equal(page.text("orders"), "5");
  assert.deepEqual(table(page, "statuses"), [["placed", "5", "100%"]]);
  assert.deepEqual(texts(page, "[id=statuses-chart] .bar-name"), ["placed"]);
});

test("older figures never replace newer ones", async () => {
  const page = await open();
  page.source.send("stats", figures(2, { orders: 1 }));
  assert.equal(page.text("orders"), "4");
});

test("where only older figures come for long, a clock was set back, and they are shown", async () => {
  const page = await open(figures(-3_600));
  await page.clock.advance(29_000);
  page.source.send("stats", figures(0, { orders: 1 }));
  assert.equal(page.text("orders"), "4");
  await page.clock.advance(1_000);
  page.source.send("stats", figures(0, { orders: 1 }));
  assert.equal(page.text("orders"), "1");
});

test("when none come any more the page says so, and since when", async () => {
  const page = await open();
  await page.clock.advance(25_000);
  assert.deepEqual([page.text("age"), page.$("outdated").hidden], ["up to date", true]);
  await page.clock.advance(15_000);
  assert.deepEqual([page.text("as-of"), page.text("age")], ["2:00:00 PM", "40 s old"]);
  assert.equal(page.$("as-of").dataset.state, "old");
  assert.equal(page.$("outdated").hidden, false);
  const said = page.text("outdated-text");
  assert.match(said, /as of 2:00:00 PM/);
  await page.clock.advance(3_000);
  assert.equal(page.text("outdated-text"), said); // announced once, not every second
  await page.clock.advance(1_000_000);
  assert.equal(page.text("age"), "17 min old");
  page.source.send("stats", { ...figures(), time: new Date(page.clock.now).toISOString() });
  assert.deepEqual([page.text("age"), page.$("outdated").hidden], ["up to date", true]);
});

test("figures that are dated into the future grow old, too, when no others come", async () => {
  const page = await open(figures(-3_600));
  assert.equal(page.text("age"), "up to date");
  await page.clock.advance(40_000);
  assert.deepEqual([page.text("age"), page.$("outdated").hidden], ["40 s old", false]);
});

test("figures that another tab passes on again do not keep back those of a clock that was set back", async () => {
  const page = await open(figures(-3_600));
  for (let second = 0; second < 30; second += 10) {
    page.source.send("stats", figures(-3_600));
    await page.clock.advance(10_000);
  }
  page.source.send("stats", figures(0, { orders: 1 }));
  assert.equal(page.text("orders"), "1");
});

test("ages are by the server's clock, whatever the browser's says", async () => {
  const page = await open();
  page.clock.setBy = 3_600_000;
  page.source.send("status", { state: "live", time: "2026-11-22T14:00:01Z" }, POSITION);
  page.source.send("status", { state: "live", time: "2026-11-22T14:00:02Z" }, POSITION);
  await page.clock.advance(1_000);
  assert.equal(page.text("age"), "up to date");
});

test("without figures the page says what it waits for, and shows the first ones that come", async () => {
  const page = await open(null);
  assert.deepEqual([page.$("charts").hidden, page.$("empty").hidden, page.text("orders")], [true, false, "–"]);
  page.source.send("stats", figures());
  assert.deepEqual([page.$("charts").hidden, page.$("empty").hidden, page.text("orders")], [false, true, "4"]);
});

test("what cannot be read is left out, and what is missing is a dash", async (context) => {
  context.mock.method(console, "error", () => {});
  const page = await open();
  for (const text of ["{", "null", "[]", '{"time":1}']) {
    page.source.send("stats", text);
  }
  assert.equal(page.text("orders"), "4");
  page.source.send("stats", { time: figures(-1).time });
  assert.deepEqual(
    ["orders", "events", "revenue", "hour"].map((id) => page.text(id)),
    ["–", "– events counted", "–", "0"],
  );
  assert.deepEqual([table(page, "orders"), table(page, "items"), heights(page, "orders")], [[], [], []]);
  page.source.send("stats", figures(-2, { minutes: [{ minute: "2026-11-22T14:00:00Z" }], items: [{ item: "Tee" }] }));
  assert.deepEqual([table(page, "revenue"), table(page, "items")], [[["2:00 PM", "–"]], [["Tee", "–", "–", "–"]]]);
});

test("large amounts keep their cents", async () => {
  const page = await open(figures(0, { revenue: "12345678901234567.89" }));
  assert.equal(page.text("revenue"), "12,345,678,901,234,567.89");
});

test("names of items and statuses stay texts", async () => {
  const name = '<img src=x onerror="alert(1)">';
  const page = await open(null);
  page.source.send(
    "stats",
    figures(0, { items: [{ item: name, orders: 1, quantity: 1, revenue: "1.00" }], by_status: { [name]: 1 } }),
  );
  assert.equal(all(page, "img").length, 0);
  assert.deepEqual(texts(page, "[id=items-chart] .bar-name"), [name]);
  assert.equal(table(page, "statuses")[0][0], name);
});

test("a hidden page draws nothing, and the newest once it is seen", async () => {
  const page = await open();
  await page.hide(true);
  page.source.send("stats", figures(-1, { orders: 5 }));
  page.source.send("stats", figures(-2, { orders: 6 }));
  assert.equal(page.text("orders"), "4");
  await page.hide(false);
  assert.equal(page.text("orders"), "6");
});

test("a page that is hidden for long does not ask for figures, and catches up when it is seen", async () => {
  const page = await open();
  const isAsking = () => page.source.url.endsWith("&stats=1");
  await page.hide(true);
  await page.clock.advance(59_000);
  assert.equal(isAsking(), true);
  await page.clock.advance(2_000);
  assert.equal(isAsking(), false);
  await page.clock.advance(600_000);
  assert.equal(isAsking(), false);
  await page.hide(false);
  assert.equal(isAsking(), true);
  assert.deepEqual([page.text("age"), page.$("outdated").hidden], ["11 min old", true]); // newer ones are on their way
  page.source.send("stats", figures(-661, { orders: 7 }));
  assert.deepEqual([page.text("orders"), page.text("age"), page.$("outdated").hidden], ["7", "up to date", true]);
});

test("a page that is seen again and gets no figures says so a moment later", async () => {
  const page = await open();
  await page.hide(true);
  await page.clock.advance(600_000);
  await page.hide(false);
  await page.clock.advance(4_000);
  assert.equal(page.$("outdated").hidden, true);
  await page.clock.advance(2_000);
  assert.equal(page.$("outdated").hidden, false);
});

test("a page that is hidden and soon seen again keeps its connection", async () => {
  const page = await open();
  const number = page.sources.length;
  for (let times = 0; times < 3; times += 1) {
    await page.hide(true);
    await page.clock.advance(5_000);
    await page.hide(false);
    await page.clock.advance(3_000);
  }
  assert.equal(page.sources.length, number);
});

test("the state of the connection is shown as on the dashboard", async () => {
  const page = await open();
  page.source.send("status", { state: "live" }, POSITION);
  assert.deepEqual(
    [page.text("connection-word"), page.text("connection-note")],
    ["live", "Figures are shown as they come."],
  );
  page.source.send("status", { state: "stale" }, POSITION);
  assert.deepEqual([page.$("connection").dataset.state, page.text("connection-word")], ["stale", "stale"]);
  assert.match(page.text("connection-note"), /cannot tell whether Kafka/);
});

test("what the server has rendered is what the script draws, times apart", async () => {
  const before = new Page("figures");
  const rendered = Object.fromEntries(
    ["orders", "revenue", "items"].map((name) => [name, table(before, name).map((cells) => cells.slice(1))]),
  );
  const totals = ["orders", "events", "revenue", "hour"].map((id) => before.text(id));
  await before.run(SCRIPT);
  for (const name of ["orders", "revenue", "items"]) {
    assert.deepEqual(
      table(before, name).map((cells) => cells.slice(1)),
      rendered[name],
    );
  }
  assert.deepEqual(
    ["orders", "events", "revenue", "hour"].map((id) => before.text(id)),
    totals,
  );
  assert.ok(rendered.orders.length > 1);
});

test("minutes have labels at every quarter of an hour", async () => {
  const minutes = Array.from({ length: 60 }, (_, number) => ({
    minute: new Date(NOW - (59 - number) * 60_000).toISOString(),
    events: 1,
    by_status: { placed: 1 },
    revenue: "1.00",
  }));
  const page = await open(figures(0, { minutes }));
  assert.deepEqual(texts(page, "[id=orders-chart] .axis-x text"), ["1:15 PM", "1:30 PM", "1:45 PM", "2:00 PM"]);
  assert.equal(page.text("orders-note"), "at most 1, now 1");
});

test("the axis tells amounts of less than one apart", async () => {
  const minutes = [{ minute: "2026-11-22T14:00:00Z", events: 1, by_status: { placed: 1 }, revenue: "0.01" }];
  const page = await open(figures(0, { minutes }));
  assert.deepEqual(texts(page, "[id=revenue-chart] .axis-y text"), ["0", "0.005", "0.01"]);
});
