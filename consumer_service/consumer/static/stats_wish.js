// Figures come over the browser's one connection only while some tab shows them. Such a tab tells the others, again and
// again; what is not told again for FORGOTTEN_MS is no longer wished for.

const AGAIN_MS = 10_000;
const FORGOTTEN_MS = 150_000; // timers of a hidden tab may fire once a minute only

export class StatsWish {
  #now;
  #tell;
  #isOwn;
  #toldAt = -Infinity;
  #heardAt = -Infinity;

  /** now: a function that returns milliseconds. tell: a function that tells the other tabs. isOwn: whether it is ours. */
  constructor(now, tell, isOwn) {
    this.#now = now;
    this.#tell = tell;
    this.#isOwn = isOwn;
  }

  /** Whether this tab shows figures. */
  get isOwn() {
    return this.#isOwn;
  }

  /** Whether any tab does, as far as is known. */
  get isAnyones() {
    return this.#isOwn || this.#now() - this.#heardAt < FORGOTTEN_MS;
  }

  /** Note that another tab has told its wish. */
  hear() {
    this.#heardAt = this.#now();
  }

  /** Tell the wish, if there is one. */
  tell() {
    if (this.#isOwn) {
      this.#toldAt = this.#now();
      this.#tell();
    }
  }

  /** Tell it if it is time to. */
  tellAgain() {
    if (this.#now() - this.#toldAt >= AGAIN_MS) {
      this.tell();
    }
  }
}
