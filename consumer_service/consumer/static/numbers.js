// The numbers of a chart as a table, for those who cannot see it. Only what has changed is touched: whoever reads it with a
// screen reader keeps their place.

import { setText } from "./text.js";

export class Numbers {
  #body;

  constructor(body) {
    this.#body = body;
  }

  /** Show rows of texts; the first cell of each is its heading. */
  draw(rows) {
    while (this.#body.children.length > rows.length) {
      this.#body.children[this.#body.children.length - 1].remove();
    }
    while (this.#body.children.length < rows.length) {
      this.#body.append(createRow(rows[this.#body.children.length].length));
    }
    rows.forEach((texts, index) => {
      const cells = this.#body.children[index].children;
      texts.forEach((text, column) => setText(cells[column], text));
    });
  }
}

function createRow(columns) {
  const row = document.createElement("tr");
  const heading = document.createElement("th");
  heading.setAttribute("scope", "row");
  row.append(heading);
  for (let column = 1; column < columns; column += 1) {
    row.append(document.createElement("td"));
  }
  return row;
}
