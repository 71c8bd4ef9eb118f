// Repeats a request while the page is visible; never two at once, never while the page is hidden.

export const INTERVAL_MS = 2000;

export class Poll {
  #request;
  #timer = 0;
  #isRequesting = false;
  #isRequestedAgain = false;

  /** Poll with an async function that handles its own errors. */
  constructor(request) {
    this.#request = request;
    document.addEventListener("visibilitychange", () => this.now());
  }

  /**
   * Request at once. While a request is under way, request again as soon as it has ended: it may have been
   * answered before the change that the caller knows of.
   */
  async now() {
    clearTimeout(this.#timer);
    this.#isRequestedAgain = this.#isRequesting;
    if (this.#isRequesting || document.hidden) {
      return;
    }
    this.#isRequesting = true;
    await this.#request();
    this.#isRequesting = false;
    if (this.#isRequestedAgain) {
      this.now();
    } else {
      this.#timer = setTimeout(() => this.now(), INTERVAL_MS);
    }
  }
}
