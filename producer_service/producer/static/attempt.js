// The Idempotency-Key of something that a person means to do once, however often it has to be sent.

const DOUBLE_CLICK_MS = 1500;

export class Attempt {
  #body = null;
  #key = null;
  #validUntil = 0;

  /**
   * Return the key to send with a body: the same key for the same body until the outcome is known, and for a
   * moment after that, so that a double click repeats the request instead of making another.
   */
  key(body, now = performance.now()) {
    const text = JSON.stringify(body);
    if (text !== this.#body || now > this.#validUntil) {
      this.#key = newKey();
    }
    this.#body = text;
    this.#validUntil = Infinity;
    return this.#key;
  }

  /** Note that the outcome is known. */
  decided(now = performance.now()) {
    this.#validUntil = now + DOUBLE_CLICK_MS;
  }
}

/** Make up a key. randomUUID exists only on https and localhost, getRandomValues everywhere. */
function newKey() {
  if (crypto.randomUUID) {
    return crypto.randomUUID();
  }
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
