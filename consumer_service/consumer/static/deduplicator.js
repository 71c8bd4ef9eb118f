// An event may come again. Of each order only a version above the highest seen is new; a test event is the
// only one of its subject. The orders touched lately are remembered, which is enough: see contracts/.

const ORDERS = 20_000;

export class Deduplicator {
  #versions = new Map();

  isDuplicate(event) {
    const version = event.data?.version ?? 1;
    const highest = this.#versions.get(event.subject) ?? 0;
    this.#versions.delete(event.subject);
    this.#versions.set(event.subject, Math.max(highest, version));
    if (this.#versions.size > ORDERS) {
      this.#versions.delete(this.#versions.keys().next().value);
    }
    return version <= highest;
  }
}
