// Past events: pages of `/events`, each older than the one before, until the beginning of the topic.

import { withTexts } from "./events.js";

const TIMEOUT_MS = 10_000;
const MAX_PAGES = 5; // in one load

export class History {
  isComplete = false;
  newest = null;
  #url;
  #clock;
  #cursor;
  #start = 0; // counts the calls of startAt: a page that was asked for before the last one is dropped

  /** clock: a ServerClock that learns from the responses. */
  constructor(url, position, clock) {
    this.#url = url;
    this.#clock = clock;
    this.startAt(position);
  }

  /** Begin again: the next page holds the events before a position, or the newest ones without a position. */
  startAt(position) {
    this.#cursor = position || null;
    this.#start += 1;
    this.isComplete = false;
  }

  /**
   * Load the next page and return how many events were new. add(events) shows them and returns that number. If all
   * events of a page are shown already, the next page follows.
   */
  async load(limit, add) {
    let added = 0;
    const start = this.#start;
    for (let pages = 0; !added && !this.isComplete && pages < MAX_PAGES && start === this.#start; pages += 1) {
      added = add(await this.#page(limit));
    }
    return added;
  }

  async #page(limit) {
    const query = new URLSearchParams({ limit });
    if (this.#cursor) {
      query.set("before", this.#cursor);
    }
    const [start, sent] = [this.#start, Date.now()];
    const response = await fetch(`${this.#url}?${query}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    this.#clock.learn(response.headers.get("Date"), sent, Date.now());
    if (response.status === 400 && this.#cursor) {
      this.#cursor = null; // it belongs to a deleted topic: start again with the newest events
      return this.#page(limit);
    }
    const body = await response.json();
    if (!response.ok) {
      throw new Error(body.detail);
    }
    if (start !== this.#start) {
      return []; // the table was cleared meanwhile
    }
    this.#cursor = body.before;
    this.isComplete = body.before === null;
    const events = body.events.map(withTexts);
    this.newest ??= events[0] ?? null;
    return events;
  }
}
