// Watches the tab that holds the connection: one that has been silent for QUIET_MS is asked, and one that does not
// answer for PATIENCE_MS is frozen. It is asked because timers of a hidden tab may fire once a minute only, while messages
// reach it at once.

const QUIET_MS = 2_000;
const PATIENCE_MS = 3_000;

export class Watch {
  #now;
  #ask;
  #heardAt = 0;
  #askedAt = null;

  /** now: a function that returns milliseconds. ask: a function that asks the holder. */
  constructor(now, ask) {
    this.#now = now;
    this.#ask = ask;
  }

  /** Note that the holder has been heard, or is new. */
  hear() {
    this.#heardAt = this.#now();
    this.#askedAt = null;
  }

  /** Ask if it is time to, and return whether the holder has left a question without an answer. */
  hasGivenUp() {
    const now = this.#now();
    if (this.#askedAt !== null) {
      return now - this.#askedAt >= PATIENCE_MS * (1 + Math.random() / 2); // not all tabs at the same moment
    }
    if (now - this.#heardAt >= QUIET_MS) {
      this.#askedAt = now;
      this.#ask();
    }
    return false;
  }
}
