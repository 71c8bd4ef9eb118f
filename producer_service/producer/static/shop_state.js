// How fresh the list is, in words that stay true when the shop goes away.

import { Refused } from "./api.js";

export class ShopState {
  #reached = null;

  constructor(node, word) {
    Object.assign(this, { node, word });
  }

  reached() {
    this.#reached = new Date();
    this.#say("live", "live");
  }

  held() {
    this.#say("held", "held while you choose a step");
  }

  failed(error) {
    const cause =
      error instanceof Refused
        ? `the shop has a problem: ${error.message.replace(/\.$/, "")}`
        : "cannot reach the shop";
    const since = this.#reached ? ` · last updated ${this.#reached.toLocaleTimeString("en-GB")}` : "";
    this.#say("away", `${cause}${since} · trying again every 2 s`);
  }

  #say(state, text) {
    this.node.dataset.state = state;
    if (this.word.textContent !== text) {
      this.word.textContent = text;
    }
  }
}
