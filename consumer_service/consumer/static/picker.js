// Picks one part of a chart: by pointing at it, or with the arrow keys while the chart has the focus.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, PageUp: -10, PageDown: 10 };

export class Picker {
  #on;
  #size = 0;

  /** The number of the part that is picked, or null. */
  picked = null;

  /**
   * chart: an element that can have the focus; its parts have a data-part. on: {first() returns the part to begin with,
   * changed(isByKey)}.
   */
  constructor(chart, on) {
    this.#on = on;
    chart.addEventListener("pointerover", ({ target }) => this.#pickAt(target));
    chart.addEventListener("pointerleave", () => this.#pick(null));
    chart.addEventListener("focus", () => this.picked === null && this.#pick(on.first(), true));
    chart.addEventListener("blur", () => this.#pick(null));
    chart.addEventListener("keydown", (press) => this.#move(press));
  }

  /** Tell how many parts there are now. */
  set size(size) {
    this.#size = size;
    if (this.picked !== null && this.picked >= size) {
      this.#pick(null);
    }
  }

  #pickAt(target) {
    const part = target.closest("[data-part]")?.getAttribute("data-part");
    if (part !== undefined) {
      this.#pick(Number(part));
    }
  }

  #move(press) {
    const to = this.#target(press.key);
    if (to === undefined) {
      return;
    }
    press.preventDefault();
    this.#pick(to === null ? null : Math.min(this.#size - 1, Math.max(0, to)), true);
  }

  /** Return where a key leads to: null to nowhere, undefined if it is none of ours. */
  #target(key) {
    if (key === "Escape") {
      return null;
    }
    if (!this.#size) {
      return undefined;
    }
    if (key === "Home" || key === "End") {
      return key === "Home" ? 0 : this.#size - 1;
    }
    return key in STEPS ? (this.picked ?? this.#on.first()) + STEPS[key] : undefined;
  }

  #pick(part, isByKey = false) {
    const next = this.#size ? part : null;
    if (next !== this.picked) {
      this.picked = next;
      this.#on.changed(isByKey);
    }
  }
}
