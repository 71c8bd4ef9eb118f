// A small line of the last minutes, as SVG. Eyes see its shape, screen readers a sentence.

const [WIDTH, HEIGHT] = [120, 24]; // as the viewBox in the page

export class Sparkline {
  #svg;
  #describe;

  /** svg: an element with a polyline in it. describe(values): the sentence for screen readers. */
  constructor(svg, describe) {
    this.#svg = svg;
    this.#describe = describe;
  }

  /** Draw values, oldest first; null where there is none. */
  draw(values) {
    this.#svg.querySelector("polyline").setAttribute("points", points(values));
    this.#svg.setAttribute("aria-label", this.#describe(values));
  }
}

/** Return the points of a line through the values; where there is none it stays where it was. */
export function points(values) {
  const highest = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE);
  const step = WIDTH / Math.max(1, values.length - 1);
  let last = 0;
  return values
    .map((value, index) => {
      last = Math.max(0, value ?? last);
      const y = HEIGHT - 1 - (last / highest) * (HEIGHT - 2);
      return `${(index * step).toFixed(1)},${y.toFixed(1)}`;
    })
    .join(" ");
}
