// Columns over time, one for each minute. Drawn in percent of the place there is, so that nothing is distorted and nothing
// has to be drawn anew when that changes.

import { Picker } from "./picker.js";
import { percentFromTop, scaleOf } from "./scale.js";
import { percent, setAll, svg } from "./svg.js";
import { setText } from "./text.js";

const GAP = 0.22; // between two columns, as a share of their places
const TIP = { width: 140, height: 74, distance: 8 };
const FLIP_AT = 45; // percent: further to the right, the tip is on the left
const LEAST = 0.8; // percent of the height: what is not zero is seen

export class Columns {
  #axis = svg("svg", { class: "axis-y" });
  #area = svg("svg", { class: "area" });
  #times = svg("svg", { class: "axis-x" });
  #lines = svg("g", { class: "lines" });
  #columns = svg("g", { class: "columns" });
  #hits = svg("g", { class: "hits" });
  #tip;
  #spoken;
  #picker;
  #format;
  #isWhole;
  #points = [];

  /**
   * chart: an element with an empty .plot and a .spoken for screen readers. format(value): a number for the axis.
   */
  constructor(chart, { format, isWhole = false }) {
    this.#format = format;
    this.#isWhole = isWhole;
    this.#tip = new Tip();
    const plot = chart.querySelector(".plot");
    this.#area.append(this.#lines, this.#columns, this.#hits, this.#tip.node);
    plot.replaceChildren(this.#axis, this.#area, this.#times);
    this.#spoken = chart.querySelector(".spoken");
    this.#picker = new Picker(plot, {
      first: () => this.#points.length - 1,
      changed: (isByKey) => this.#showPicked(isByKey),
    });
  }

  /** Draw points, the oldest first: {value, time, label, title, text}. label: below the axis, "" for none. */
  draw(points) {
    this.#points = points;
    this.#picker.size = points.length;
    const scale = scaleOf(
      points.map(({ value }) => value ?? 0),
      { isWhole: this.#isWhole },
    );
    this.#drawAxis(scale);
    const width = 100 / Math.max(1, points.length);
    const places = points.map((_, index) => index * width);
    resize(this.#columns, points.length, () => svg("rect", { rx: 1.5 }));
    resize(this.#hits, points.length, () => svg("rect", { y: 0, height: "100%" }));
    points.forEach(({ value }, index) => {
      setAll(this.#columns.childNodes[index], {
        class: value < 0 ? "column below" : "column",
        x: percent(places[index] + (GAP / 2) * width),
        width: percent((1 - GAP) * width),
        ...extent(value ?? 0, scale),
      });
      setAll(this.#hits.childNodes[index], { "data-part": index, x: percent(places[index]), width: percent(width) });
    });
    this.#drawTimes(points, width);
    this.#showPicked(false);
  }

  #drawAxis(scale) {
    resize(this.#lines, scale.ticks.length, () => svg("line", { x1: 0, x2: "100%" }));
    resize(this.#axis, scale.ticks.length, () => svg("text", { x: "100%", dy: "0.32em", "text-anchor": "end" }));
    scale.ticks.forEach((tick, index) => {
      const y = percent(percentFromTop(tick, scale));
      setAll(this.#lines.childNodes[index], { y1: y, y2: y, class: tick === 0 ? "line zero" : "line" });
      setAll(this.#axis.childNodes[index], { y });
      setText(this.#axis.childNodes[index], this.#format(tick));
    });
  }

  #drawTimes(points, width) {
    const labelled = points.map(({ label }, index) => [label, (index + 0.5) * width]).filter(([label]) => label);
    resize(this.#times, labelled.length, () => svg("text", { y: "1.4em", "text-anchor": "middle" }));
    labelled.forEach(([label, x], index) => {
      setAll(this.#times.childNodes[index], { x: percent(x) });
      setText(this.#times.childNodes[index], label);
    });
  }

  #showPicked(isByKey) {
    const { picked } = this.#picker;
    this.#columns.childNodes.forEach((column, index) => {
      column.classList.toggle("picked", index === picked);
    });
    const point = this.#points[picked] ?? null;
    this.#tip.show(point, picked === null ? 0 : ((picked + 0.5) * 100) / this.#points.length);
    if (isByKey) {
      setText(this.#spoken, point ? `${point.title}: ${point.text}` : "");
    }
  }
}

/** Return where a column begins and how high it is. */
function extent(value, scale) {
  const zero = percentFromTop(0, scale);
  const height = value === 0 ? 0 : Math.max(LEAST, (Math.abs(value) * 100) / (scale.high - scale.low));
  return { y: percent(value < 0 ? zero : zero - height), height: percent(height) };
}

/** Let a group have as many children, made by `create`. */
function resize(group, size, create) {
  while (group.childNodes.length > size) {
    group.removeChild(group.childNodes[group.childNodes.length - 1]);
  }
  while (group.childNodes.length < size) {
    group.append(create());
  }
}

/** What is told of the column that is picked, beside it. */
class Tip {
  #title = svg("tspan", { class: "tip-title", x: 12, y: 22 });
  #lines = [42, 60].map((y) => svg("tspan", { x: 12, y }));
  #box = svg("svg", { width: TIP.width, height: TIP.height, y: 0 });
  node = svg("svg", { class: "tip", visibility: "hidden" });

  constructor() {
    this.#box.append(
      svg("rect", { class: "tip-box", width: TIP.width, height: TIP.height, rx: 9 }),
      svg("text", {}, this.#title, ...this.#lines),
    );
    this.node.append(this.#box);
  }

  /** Show what is told of a point, at a place in percent; hide it without a point. */
  show(point, place) {
    setAll(this.node, { visibility: point ? "visible" : "hidden" });
    if (point) {
      setAll(this.node, { x: percent(place) });
      setAll(this.#box, { x: place > FLIP_AT ? -TIP.width - TIP.distance : TIP.distance });
      setText(this.#title, point.title);
      this.#lines.forEach((line, index) => setText(line, point.lines[index] ?? ""));
    }
  }
}
