// The tab that holds the connection: what it tells the others. See messages.js.

import { isGap } from "./messages.js";

export class Holder {
  #send;
  #last;

  /** send: a function that brings a message to the other tabs. log: "" for a new one. */
  constructor(send, { since, log, position }) {
    this.#send = send;
    this.#last = { holder: crypto.randomUUID(), since, log: log || crypto.randomUUID(), number: -1, position };
  }

  /** Tell what the stream has brought up to a position, and the state. */
  say(position, { state, data }, blocks = []) {
    const { number, position: before, log } = this.#last;
    this.#last = {
      ...this.#last,
      number: number + 1,
      before,
      position,
      state,
      data,
      blocks,
      log: blocks.some(isGap) ? crypto.randomUUID() : log,
    };
    this.#send(this.#last);
  }

  /** Tell a change of state. */
  sayState(shown) {
    this.say(this.#last.position, shown);
  }

  /** Tell those who ask that we are here. */
  answer() {
    this.#send({ ...this.#last, before: this.#last.position, blocks: [] });
  }
}
