// The server's time, for ages and latencies: the browser's own clock may be wrong by minutes or hours.

const TRUSTED_MS = 2_000; // the Date header has whole seconds, so a smaller difference means nothing

export class ServerClock {
  #offsetMs = 0;

  /** Learn from a response's Date header. sent, received: the browser's time around the request, in milliseconds. */
  learn(date, sent, received) {
    const server = Date.parse(date ?? "");
    if (Number.isNaN(server)) {
      return;
    }
    const offsetMs = server + 500 - (sent + received) / 2;
    this.#offsetMs = Math.abs(offsetMs) > TRUSTED_MS ? offsetMs : 0;
  }

  /** Return the server's time in milliseconds. */
  now() {
    return Date.now() + this.#offsetMs;
  }
}
