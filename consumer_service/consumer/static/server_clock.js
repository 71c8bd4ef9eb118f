// The server's time, for ages and latencies: the browser's own clock may be wrong by minutes or hours.

const TRUSTED_MS = 2_000; // the Date header has whole seconds, so a smaller difference means nothing
const KEPT = 30;
const STEP_MS = 2_000; // a status that is later than that is late, or our own clock was set

export class ServerClock {
  #offsetMs = 0;
  #heard = []; // offsets, by the last statuses
  #late = 0;
  #last = ""; // other tabs pass a status on with each of their messages

  /** Learn from a response's Date header. sent, received: the browser's time around the request, in milliseconds. */
  learn(date, sent, received) {
    const server = Date.parse(date ?? "");
    if (Number.isNaN(server) || this.#heard.length) {
      return;
    }
    const offsetMs = server + 500 - (sent + received) / 2;
    this.#offsetMs = Math.abs(offsetMs) > TRUSTED_MS ? offsetMs : 0;
  }

  /**
   * Take the time that a status says. received: the browser's time then, in milliseconds. Each status is late by its way
   * here, so the least late of the last ones counts. One that is much later counts when the next one agrees: a single one
   * may have waited in a browser that was asleep.
   */
  hear(time, received) {
    const offsetMs = Date.parse(time ?? "") - received;
    if (Number.isNaN(offsetMs) || time === this.#last) {
      return;
    }
    this.#last = time;
    const isLate = this.#heard.length > 0 && offsetMs < Math.max(...this.#heard) - STEP_MS;
    this.#late = isLate ? this.#late + 1 : 0;
    if (this.#late === 1) {
      return;
    }
    this.#heard = this.#late ? [offsetMs] : [...this.#heard.slice(1 - KEPT), offsetMs];
    this.#late = 0;
    this.#offsetMs = Math.max(...this.#heard);
  }

  /** Return the server's time in milliseconds. */
  now() {
    return Date.now() + this.#offsetMs;
  }
}
