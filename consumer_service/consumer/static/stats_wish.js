// Figures come over the browser's one connection only while some tab shows them and can be seen. Such a tab tells the
// others, again and again; what is not told again for FORGOTTEN_MS is no longer wished for. A tab that is hidden and seen
// again before that changes nothing.

const AGAIN_MS = 10_000;
export const FORGOTTEN_MS = 60_000;

export class StatsWish {
  #now;
  #tell;
  #isShown;
  #isSeen;
  #seenAt = -Infinity;
  #toldAt = -Infinity;
  #heardAt = -Infinity;

  /**
   * now: a function that returns milliseconds. tell: a function that tells the other tabs. isShown: whether this tab
   * shows figures. isSeen: whether it is not hidden.
   */
  constructor(now, tell, { isShown, isSeen }) {
    this.#now = now;
    this.#tell = tell;
    this.#isShown = isShown;
    this.#isSeen = isSeen;
  }

  /** Whether it is this tab's. */
  get isOwn() {
    return this.#isShown && (this.#isSeen || this.#now() - this.#seenAt < FORGOTTEN_MS);
  }

  /** Whether any tab does, as far as is known. */
  get isAnyones() {
    return this.isOwn || this.#now() - this.#heardAt < FORGOTTEN_MS;
  }

  /** Note that this tab is hidden now, or no longer. */
  see(isSeen) {
    if (this.#isSeen) {
      this.#seenAt = this.#now();
    }
    this.#isSeen = isSeen;
  }

  /** Note that another tab has told its wish. */
  hear() {
    this.#heardAt = this.#now();
  }

  /** Tell the wish, if there is one. */
  tell() {
    if (this.#isShown && this.#isSeen) {
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
