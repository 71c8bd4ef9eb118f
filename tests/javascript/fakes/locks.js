// Web Locks, of one name and exclusive. https://w3c.github.io/web-locks/

export class FakeLocks {
  #held = null;
  #queue = [];

  /** Return navigator.locks of a tab; all that it is told is a task of the tab. */
  of(tab) {
    return { request: (_name, options, call) => this.#request({ tab, call, ...options }) };
  }

  get holder() {
    return this.#held?.tab ?? null;
  }

  /** Take all that a tab has, as when it is closed. */
  drop(tab) {
    this.#queue = this.#queue.filter((request) => request.tab !== tab);
    if (this.#held?.tab === tab) {
      this.#release(this.#held);
    }
  }

  #request(request) {
    return new Promise((resolve, reject) => {
      Object.assign(request, { resolve, reject });
      request.signal?.addEventListener("abort", () => this.#abort(request));
      if (request.steal) {
        const robbed = this.#held;
        robbed?.tab.task(() => robbed.reject(new DOMException("stolen", "AbortError")));
        this.#grant(request);
      } else {
        this.#queue.push(request);
        this.#next();
      }
    });
  }

  #abort(request) {
    if (this.#queue.includes(request)) {
      this.#queue = this.#queue.filter((each) => each !== request);
      request.reject(new DOMException("aborted", "AbortError"));
    }
  }

  #next() {
    if (!this.#held && this.#queue.length) {
      this.#grant(this.#queue.shift());
    }
  }

  #grant(request) {
    this.#held = request;
    request.tab.task(async () => {
      const value = await request.call();
      this.#release(request);
      request.resolve(value);
    });
  }

  #release(request) {
    if (this.#held === request) {
      this.#held = null;
      this.#next();
    }
  }
}
