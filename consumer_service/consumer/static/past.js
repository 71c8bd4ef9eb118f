// Past events on demand: a stream of its own that begins in the past. What it brings is no news, and counts as none.

import { covers, isOfSameTopic, isPosition } from "./position.js";

const SILENCE_MS = 25_000; // the server sends a block at least every 15 s

export class Past {
  #url;
  #tab;
  #source = null;
  #timer = null;
  #end = () => {}; // ends what is open, for a reason

  /** tab: the window. A page that is frozen, or in the browser's cache, must not keep a connection. */
  constructor(url, tab = window) {
    this.#url = url;
    this.#tab = tab;
    tab.addEventListener("pagehide", () => this.#end("left"));
    tab.document.addEventListener("freeze", () => this.#end("left"));
  }

  /**
   * Read from a place on, a position or an ISO time, until a position is reached; without one, until the server says that
   * there is nothing older than what is live.
   *
   * on: {event(text, position) returns whether to go on, state(name) is "waiting" or "reading", gap(data), end(reason)}.
   * position: the last that was reached, "" before the first. reason: "reached", "full" when event has ended it, "busy",
   * "failed" or "left". After that nothing comes any more.
   */
  open(from, until, on) {
    this.close();
    const source = new this.#tab.EventSource(`${this.#url}?from=${encodeURIComponent(from)}`);
    const isOpen = () => this.#source === source;
    const end = (reason) => {
      if (isOpen()) {
        this.close();
        on.end(reason);
      }
    };
    const hear = ({ lastEventId }) => {
      this.#tab.clearTimeout(this.#timer);
      this.#timer = this.#tab.setTimeout(() => end("failed"), SILENCE_MS);
      if (until && lastEventId && covers(lastEventId, until)) {
        end("reached");
      }
    };
    this.#source = source;
    this.#end = end;
    hear({});
    source.addEventListener("message", (event) => {
      if (isOpen() && !on.event(event.data, event.lastEventId)) {
        end("full");
      } else if (isOpen()) {
        hear(event);
      }
    });
    source.addEventListener("status", (event) => {
      const { replay, gap } = JSON.parse(event.data);
      if (isOpen() && replay) {
        on.state(replay);
      }
      // After a reconnect the server may have the rest at hand, and says so before it sends it: the position decides.
      const canBeReached = until && isPosition(event.lastEventId) && isOfSameTopic(event.lastEventId, until);
      if (!replay && !gap && !canBeReached) {
        end("reached");
      }
      if (isOpen() && !gap) {
        hear(event);
      }
    });
    source.addEventListener("gap", (event) => {
      if (isOpen()) {
        on.gap(JSON.parse(event.data));
        hear(event);
      }
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
