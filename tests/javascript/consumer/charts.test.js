import assert from "node:assert/strict";
import test from "node:test";
import { Bars } from "../../../consumer_service/consumer/static/bars.js";
import { Columns } from "../../../consumer_service/consumer/static/columns.js";
import { Numbers } from "../../../consumer_service/consumer/static/numbers.js";
import { percentFromTop, scaleOf } from "../../../consumer_service/consumer/static/scale.js";
import { Page } from "../fakes/page.js";

const HTML = `<body><section id="chart"><div class="plot"></div><ol class="bars"></ol><p class="spoken"></p>
<table><tbody id="numbers"></tbody></table></section></body>`;

const isPicked = (node) => node.classList.contains("picked");
const point = (value, label = "") => ({
  value,
  label,
  title: `at ${value}`,
  lines: [`${value} orders`, "and more"],
  text: `${value} orders, and more`,
});

function columns(values) {
  const page = new Page("", { html: HTML });
  const chart = new Columns(page.$("chart"), { format: String, isWhole: true });
  chart.draw(values.map((value) => point(value)));
  const all = (selector) => page.document.querySelectorAll(selector);
  return { page, chart, all, plot: all(".plot")[0], picked: () => all(".column").findIndex(isPicked) };
}

const number = (node, name) => Number(node.getAttribute(name).replace("%", ""));
const press = (node, key) => node.dispatch("keydown", { key });

test("a scale has round steps, and 0 is always on it", () => {
  assert.deepEqual(scaleOf([0, 7], { isWhole: true }), { low: 0, high: 8, ticks: [0, 2, 4, 6, 8] });
  assert.deepEqual(scaleOf([3, 1], { isWhole: true }), { low: 0, high: 3, ticks: [0, 1, 2, 3] });
  assert.deepEqual(scaleOf([500, 1_000]).ticks, [0, 500, 1_000]);
  assert.deepEqual(scaleOf([-30, 100]).ticks, [-50, 0, 50, 100]);
  assert.deepEqual(scaleOf([-8, -2]).ticks, [-8, -6, -4, -2, 0]);
});

test("a scale of nothing is one", () => {
  for (const values of [[], [0], [0, 0]]) {
    assert.deepEqual(scaleOf(values, { isWhole: true }), { low: 0, high: 1, ticks: [0, 1] });
  }
});

test("a scale holds what it is for, with few ticks, however large or small", () => {
  for (let power = -3; power < 22; power += 1) {
    for (const factor of [1, 1.01, 2.5, 4.99, 9.99]) {
      const most = factor * 10 ** power;
      for (const values of [[most], [-most, most / 3], [-most]]) {
        const { low, high, ticks } = scaleOf(values);
        assert.ok(low <= Math.min(...values, 0) && high >= Math.max(...values, 0), `${values}: ${low} to ${high}`);
        assert.ok(ticks.length >= 2 && ticks.length <= 7, `${values}: ${ticks}`);
      }
    }
  }
});

test("percent are counted from the top", () => {
  const scale = { low: -50, high: 150 };
  assert.deepEqual(
    [150, 50, 0, -50].map((value) => percentFromTop(value, scale)),
    [0, 50, 75, 100],
  );
});

test("columns are as high as their values, and side by side", () => {
  const { all } = columns([0, 2, 4]);
  assert.deepEqual(
    all(".column").map((node) => [number(node, "y"), number(node, "height")]),
    [
      [100, 0],
      [50, 50],
      [0, 100],
    ],
  );
  const places = all(".column").map((node) => [number(node, "x"), number(node, "x") + number(node, "width")]);
  places.slice(1).forEach(([start], index) => assert.ok(start > places[index][1]));
  assert.ok(places[0][0] > 0 && places.at(-1)[1] < 100);
});

test("what was cancelled hangs below the line of zero", () => {
  const { all } = columns([10, -10]);
  const [above, below] = all(".column");
  assert.equal(number(above, "y") + number(above, "height"), number(below, "y"));
  assert.deepEqual([above.className, below.className], ["column", "column below"]);
  const [zero] = all(".zero");
  assert.equal(number(zero, "y1"), number(below, "y"));
});

test("a value beside a huge one is seen, an unknown one is not", () => {
  const { all } = columns([1, null, 1_000_000]);
  const [least, unknown] = all(".column").map((node) => number(node, "height"));
  assert.ok(least > 0.5);
  assert.equal(unknown, 0);
});

test("ticks and labels are texts at their places", () => {
  const { page, chart, all } = columns([4]);
  chart.draw([point(4, "14:00"), point(0), point(0, "14:02"), point(0)]);
  assert.deepEqual(
    all(".axis-y text").map((node) => node.textContent),
    ["0", "1", "2", "3", "4"],
  );
  assert.deepEqual(
    all(".axis-x text").map((node) => [node.textContent, node.getAttribute("x")]),
    [
      ["14:00", "12.5%"],
      ["14:02", "62.5%"],
    ],
  );
  chart.draw([]);
  assert.deepEqual([all(".column").length, all(".axis-x text").length], [0, 0]);
  assert.equal(page.document.querySelectorAll("[style]").length, 0);
});

test("pointing at a column shows its tip, and leaving hides it", () => {
  const { all, plot, picked } = columns([1, 2, 3]);
  const [tip] = all(".tip");
  all("[data-part]")[1].dispatch("pointerover");
  assert.deepEqual([picked(), tip.getAttribute("visibility")], [1, "visible"]);
  assert.equal(tip.textContent, "at 22 ordersand more");
  assert.equal(all(".spoken")[0].textContent, ""); // it is told to who cannot see it by key only
  plot.dispatch("pointerleave");
  assert.deepEqual([picked(), tip.getAttribute("visibility")], [-1, "hidden"]);
});

test("the tip stays within the chart", () => {
  const { all } = columns([1, 2, 3, 4]);
  const [box] = all(".tip")[0].children;
  all("[data-part]")[0].dispatch("pointerover");
  assert.ok(number(box, "x") > 0);
  all("[data-part]")[3].dispatch("pointerover");
  assert.ok(number(box, "x") <= -number(box, "width"));
});

test("the arrow keys move from column to column, and each is told", () => {
  const { all, plot, picked } = columns([1, 2, 3]);
  const [spoken] = all(".spoken");
  plot.dispatch("focus");
  assert.deepEqual([picked(), spoken.textContent], [2, "at 3: 3 orders, and more"]);
  const visited = ["ArrowLeft", "Home", "ArrowLeft", "ArrowRight", "End", "ArrowRight", "PageUp", "PageDown"].map(
    (key) => {
      const { isDefaultPrevented } = press(plot, key);
      assert.ok(isDefaultPrevented, key);
      return picked();
    },
  );
  assert.deepEqual(visited, [1, 0, 0, 1, 2, 2, 0, 2]);
  assert.ok(!press(plot, "Tab").isDefaultPrevented);
  press(plot, "Escape");
  assert.deepEqual([picked(), spoken.textContent], [-1, ""]);
  press(plot, "ArrowLeft");
  plot.dispatch("blur");
  assert.equal(picked(), -1);
});

test("the picked column stays picked when new figures come, if it is still there", () => {
  const { chart, all, plot, picked } = columns([1, 2, 3]);
  plot.dispatch("focus");
  press(plot, "ArrowLeft");
  chart.draw([5, 6, 7].map((value) => point(value)));
  assert.deepEqual([picked(), all(".tip")[0].textContent], [1, "at 66 ordersand more"]);
  chart.draw([point(5)]);
  assert.deepEqual([picked(), all(".tip")[0].getAttribute("visibility")], [-1, "hidden"]);
});

test("a chart without columns can have the focus, too", () => {
  const { plot, picked } = columns([]);
  plot.dispatch("focus");
  ["ArrowLeft", "Home", "End", "Escape"].forEach((key) => press(plot, key));
  assert.equal(picked(), -1);
});

function bars(rows) {
  const page = new Page("", { html: HTML });
  const chart = new Bars(page.$("chart"));
  chart.draw(rows);
  const [list] = page.document.querySelectorAll(".bars");
  return { page, chart, list, rows: () => [...list.children] };
}

const row = (name, value) => ({ name, value, text: `${value}!`, more: `${value} pieces`, kind: "is-a" });
const widths = (rows) => rows.map((each) => each.querySelector(".fill").getAttribute("width"));

test("bars are as long as their values, the longest as wide as there is room", () => {
  const { rows } = bars([row("Tee", 50), row("Mug", 200), row("Cap", 0), row("?", null), row("Back", -5)]);
  assert.deepEqual(widths(rows()), ["25%", "100%", "0%", "0%", "0%"]);
  assert.deepEqual(
    rows().map((each) => each.querySelector(".bar-name").textContent),
    ["Tee", "Mug", "Cap", "?", "Back"],
  );
  assert.equal(rows()[0].querySelector(".fill").className, "fill is-a");
});

test("names stay texts, however hostile", () => {
  const name = '<img src=x onerror="alert(1)">';
  const { page, rows } = bars([row(name, 1)]);
  assert.equal(rows()[0].querySelector(".bar-name").textContent, name);
  assert.equal(page.document.querySelectorAll("img").length, 0);
});

test("bars come and go with their rows, and those that stay are the same elements", () => {
  const { chart, rows } = bars([row("Tee", 1), row("Mug", 2)]);
  const [first] = rows();
  chart.draw([row("Cap", 4)]);
  assert.deepEqual(
    rows().map((each) => each.querySelector(".bar-name").textContent),
    ["Cap"],
  );
  assert.equal(rows()[0], first);
  chart.draw([]);
  assert.deepEqual(rows(), []);
});

test("the arrow keys move from bar to bar, and each is told", () => {
  const { page, list, rows } = bars([row("Tee", 1), row("Mug", 2)]);
  list.dispatch("focus");
  press(list, "ArrowDown");
  assert.deepEqual(rows().map(isPicked), [false, true]);
  assert.equal(page.document.querySelector(".spoken").textContent, "Mug: 2 pieces");
  list.dispatch("blur");
  assert.deepEqual(rows().map(isPicked), [false, false]);
});

test("a table's cells change in place", () => {
  const page = new Page("", { html: HTML });
  const numbers = new Numbers(page.$("numbers"));
  const texts = () => page.$("numbers").rows.map((each) => each.cells.map((cell) => cell.textContent));
  numbers.draw([
    ["Tee", "1"],
    ["Mug", "2"],
  ]);
  const [[heading, cell]] = page.$("numbers").rows.map((each) => each.cells);
  assert.deepEqual([heading.tagName, heading.getAttribute("scope"), cell.tagName], ["th", "row", "td"]);
  numbers.draw([
    ["Tee", "3"],
    ["Mug", "2"],
    ["Cap", "1"],
  ]);
  assert.deepEqual(texts(), [
    ["Tee", "3"],
    ["Mug", "2"],
    ["Cap", "1"],
  ]);
  assert.equal(page.$("numbers").rows[0].cells[1], cell);
  numbers.draw([["Tee", "3"]]);
  assert.deepEqual(texts(), [["Tee", "3"]]);
});
