// The lock of the browser's one connection: the tab that holds it keeps the connection for all. The browser gives it to
// the next tab that waits as soon as the holder lets go of it, is closed or crashes.

export class ConnectionLock {
  #locks;
  #name;
  #on;
  #turn = null; // our request, until it is over: {abort(), release()}
  isHeld = false;

  /** locks: the browser's navigator.locks. on: the callbacks {gained(), lost(), failed(error)}. */
  constructor(locks, name, on) {
    this.#locks = locks;
    this.#name = name;
    this.#on = on;
  }

  get isWaiting() {
    return this.#turn !== null && !this.isHeld;
  }

  /** Wait for the lock, unless we wait for it or hold it already. */
  wait() {
    if (!this.#turn) {
      const controller = new AbortController();
      this.#request({ signal: controller.signal }, () => controller.abort());
    }
  }

  /** Take the lock away from its holder, who has stopped answering. */
  steal() {
    this.leave();
    this.#request({ steal: true }, () => {});
  }

  /** Let go of the lock, or stop waiting for it. */
  leave() {
    const turn = this.#turn;
    this.#turn = null;
    this.isHeld = false;
    turn?.release();
    turn?.abort();
  }

  async #request(options, abort) {
    const turn = { abort, release() {} };
    this.#turn = turn;
    try {
      await this.#locks.request(this.#name, options, () => this.#hold(turn));
    } catch (error) {
      if (turn !== this.#turn) {
        return; // we have left
      }
      this.#turn = null;
      this.isHeld = false;
      if (error.name === "AbortError") {
        this.#on.lost(); // stolen
      } else {
        this.#on.failed(error);
      }
    }
  }

  /** Return a promise: the lock is held until it is fulfilled. */
  #hold(turn) {
    if (turn !== this.#turn) {
      return undefined; // we have left
    }
    return new Promise((resolve) => {
      turn.release = resolve;
      this.isHeld = true;
      this.#on.gained();
    });
  }
}
