// A clock that stands still until a test moves it: Date, performance.now, timeouts, intervals, animation frames.

import { setImmediate } from "node:timers";

const FRAME_MS = 16;
const RealDate = Date;

/** Let everything that waits for a promise go on, as far as it can without the clock. */
export async function settle() {
  for (let turns = 0; turns < 5; turns += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

export class FakeClock {
  #timers = new Map();
  #ids = 0;
  #began;

  /** How far somebody has set the clock on the wall, milliseconds: Date goes by it, and nothing else. */
  setBy = 0;

  constructor(text = "2026-11-22T14:00:00Z") {
    this.now = RealDate.parse(text);
    this.#began = this.now;
  }

  /** Put this clock in the place of the real one. */
  install() {
    const clock = this;
    globalThis.Date = class extends RealDate {
      constructor(...values) {
        super(...(values.length ? values : [clock.now + clock.setBy]));
      }

      static now() {
        return clock.now + clock.setBy;
      }
    };
    performance.now = () => this.now - this.#began;
    globalThis.setTimeout = (call, ms = 0) => this.#add(call, ms, null);
    globalThis.setInterval = (call, ms) => this.#add(call, ms, ms);
    globalThis.requestAnimationFrame = (call) => this.#add(call, FRAME_MS, null);
    globalThis.clearTimeout = (id) => this.#timers.delete(id);
    globalThis.clearInterval = globalThis.clearTimeout;
  }

  /** Move on and call what falls due, in its order. */
  async advance(ms) {
    const end = this.now + ms;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      const [id, timer] = next;
      this.now = Math.max(this.now, timer.at);
      if (timer.every === null) {
        this.#timers.delete(id);
      } else {
        timer.at += timer.every;
      }
      timer.call();
      await settle();
    }
    this.now = end;
    await settle();
  }

  #add(call, ms, every) {
    this.#ids += 1;
    this.#timers.set(this.#ids, { call, at: this.now + Math.max(ms, 0), every });
    return this.#ids;
  }

  #next(end) {
    const due = [...this.#timers].filter(([, { at }]) => at <= end);
    return due.sort(([, a], [, b]) => a.at - b.at)[0];
  }
}
