// Past events on demand: a stream of its own that begins in the past. What it brings is no news, and counts as none.

import { covers } from "./position.js";

const SILENCE_MS = 25_000; // the server sends a block at least every 15 s

export class Past {
  #url;
  #tab;
  #source = null;
  #timer = null;

  /** tab: the window. */
  constructor(url, tab = window) {
    this.#url = url;
    this.#tab = tab;
  }

  /**
   * Read from a place on, a position or an ISO time, until a position is reached, or until there is nothing older than
   * what is live.
   *
   * on: {event(text) returns whether to go on, state(name) is "waiting" or "reading", gap(data), end(reason)}. reason:
   * "reached", "full" when event has ended it, "busy" or "failed". After that nothing comes any more.
   */
  open(from, until, on) {
    this.close();
    const source = new this.#tab.EventSource(`${this.#url}?from=${encodeURIComponent(from)}`);
    const end = (reason) => {
      if (this.#source === source) {
        this.close();
        on.end(reason);
      }
    };
    const hear = (event) => {
      this.#tab.clearTimeout(this.#timer);
      this.#timer = this.#tab.setTimeout(() => end("failed"), SILENCE_MS);
      if (until && event.lastEventId && covers(event.lastEventId, until)) {
        end("reached");
      }
    };
    this.#source = source;
    hear({});
    source.addEventListener("message", (event) => {
      if (this.#source === source && !on.event(event.data)) {
        end("full");
      } else {
        hear(event);
      }
    });
    source.addEventListener("status", (event) => {
      hear(event);
      const { replay } = JSON.parse(event.data);
      if (this.#source === source && replay) {
        on.state(replay);
      } else {
        end("reached");
      }
    });
    source.addEventListener("gap", (event) => {
      on.gap(JSON.parse(event.data));
      hear(event);
    });
    source.addEventListener("busy", () => end("busy"));
    source.addEventListener("error", () => source.readyState === this.#tab.EventSource.CLOSED && end("failed"));
  }

  close() {
    this.#tab.clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }
}
