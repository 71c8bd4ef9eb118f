// The Idempotency-Key of what a person means to do once, however often it has to be sent.

const SAME_PRESS_MS = 1500;

export class Attempt {
  #body = null;
  #key = null;
  #until = 0;

  /** The same key for the same body until the outcome is known, and for a moment after: a double click. */
  key(body, now = performance.now()) {
    const text = JSON.stringify(body);
    if (text !== this.#body || now > this.#until) {
      this.#key = newKey();
    }
    this.#body = text;
    this.#until = Infinity;
    return this.#key;
  }

  decided(now = performance.now()) {
    this.#until = now + SAME_PRESS_MS;
  }
}

/** randomUUID exists only on https and localhost; getRandomValues does everywhere. */
function newKey() {
  if (crypto.randomUUID) {
    return crypto.randomUUID();
  }
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
