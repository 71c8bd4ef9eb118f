// Drops repeated events. An order's event is new only if its version is above the highest seen; a test event is the
// only event of its subject. It is enough to remember the orders that changed last: see contracts/.

const MAX_ORDERS = 20_000;

export class Deduplicator {
  #versions = new Map();

  /** Return whether the event has been seen before, and remember it. */
  isDuplicate(event) {
    const version = event.data?.version ?? 1;
    const highest = this.#versions.get(event.subject) ?? 0;
    this.#versions.delete(event.subject);
    this.#versions.set(event.subject, Math.max(highest, version));
    if (this.#versions.size > MAX_ORDERS) {
      this.#versions.delete(this.#versions.keys().next().value);
    }
    return version <= highest;
  }

  /** Forget all events: the next ones are of another log, in which earlier versions may come again. */
  forget() {
    this.#versions.clear();
  }
}
