// Asks again and again while the page is looked at; never twice at once, never while it is hidden.

const EVERY_MS = 2000;

export class Poll {
  #ask;
  #timer = 0;
  #asking = false;
  #again = false;

  constructor(ask) {
    this.#ask = ask;
    document.addEventListener("visibilitychange", () => this.now());
  }

  /** At once, or as soon as the request that is under way has ended: that one may have been too early. */
  async now() {
    clearTimeout(this.#timer);
    this.#again = this.#asking;
    if (this.#asking || document.hidden) {
      return;
    }
    this.#asking = true;
    await this.#ask();
    this.#asking = false;
    if (this.#again) {
      this.now();
    } else {
      this.#timer = setTimeout(() => this.now(), EVERY_MS);
    }
  }
}
