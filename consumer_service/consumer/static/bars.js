// Bars, one below the other, each with its name and its number: longest first, or in an order of their own.

import { Picker } from "./picker.js";
import { percent, setAll, svg } from "./svg.js";
import { setText } from "./text.js";

export class Bars {
  #list;
  #spoken;
  #picker;
  #rows = [];

  /** chart: an element with a list, .bars, and a .spoken for screen readers. */
  constructor(chart) {
    this.#list = chart.querySelector(".bars");
    this.#spoken = chart.querySelector(".spoken");
    this.#picker = new Picker(this.#list, { first: () => 0, changed: (isByKey) => this.#showPicked(isByKey) });
  }

  /** Draw rows: {name, value, text, more, kind}. more: what is told of a row that is picked. kind: its class. */
  draw(rows) {
    this.#rows = rows;
    this.#picker.size = rows.length;
    const longest = Math.max(...rows.map(({ value }) => value ?? 0), Number.MIN_VALUE);
    while (this.#list.children.length > rows.length) {
      this.#list.children[this.#list.children.length - 1].remove();
    }
    while (this.#list.children.length < rows.length) {
      this.#list.append(createRow(this.#list.children.length));
    }
    rows.forEach((row, index) => {
      const [name, bar, value, more] = this.#list.children[index].children;
      setText(name, row.name);
      setText(value, row.text);
      setText(more, row.more);
      const share = (100 * Math.max(0, row.value ?? 0)) / longest;
      setAll(bar.children[1], { class: `fill ${row.kind ?? ""}`.trim(), width: percent(share) });
    });
    this.#showPicked(false);
  }

  #showPicked(isByKey) {
    const { picked } = this.#picker;
    [...this.#list.children].forEach((row, index) => row.classList.toggle("picked", index === picked));
    if (isByKey) {
      const row = this.#rows[picked];
      setText(this.#spoken, row ? `${row.name}: ${row.more}` : "");
    }
  }
}

function createRow(number) {
  const row = document.createElement("li");
  row.setAttribute("data-part", number);
  row.append(
    span("bar-name"),
    svg(
      "svg",
      { class: "bar-line", "aria-hidden": "true" },
      svg("rect", { class: "track", width: "100%", height: "100%", rx: 4 }),
      svg("rect", { class: "fill", height: "100%", rx: 4 }),
    ),
    span("bar-value"),
    span("bar-more"),
  );
  row.children[3].setAttribute("aria-hidden", "true");
  return row;
}

function span(name) {
  const node = document.createElement("span");
  node.className = name;
  return node;
}
