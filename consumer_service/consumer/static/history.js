// Past events: pages of `/events`, each further back than the last, until the beginning of the topic.

const TIMEOUT_MS = 10_000;
const PAGES_AT_ONCE = 5;

export class History {
  isComplete = false;
  newest = null;
  #url;
  #cursor;

  constructor(url, position) {
    this.#url = url;
    this.beginAt(position);
  }

  beginAt(position) {
    this.#cursor = position || null;
    this.isComplete = false;
  }

  // `add` takes events and says how many were new. A page may hold none (all shown already): then comes the next.
  async load(limit, add) {
    let added = 0;
    for (let pages = 0; !added && !this.isComplete && pages < PAGES_AT_ONCE; pages += 1) {
      added = add(await this.#page(limit));
    }
    return added;
  }

  async #page(limit) {
    const query = new URLSearchParams({ limit });
    if (this.#cursor) {
      query.set("before", this.#cursor);
    }
    const response = await fetch(`${this.#url}?${query}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.status === 400 && this.#cursor) {
      this.#cursor = null; // of a topic that is gone: begin again with the newest
      return this.#page(limit);
    }
    const body = await response.json();
    if (!response.ok) {
      throw new Error(body.detail);
    }
    this.#cursor = body.before;
    this.isComplete = body.before === null;
    this.newest ??= body.events[0] ?? null;
    return body.events;
  }
}
