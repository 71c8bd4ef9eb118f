// How current the list is, in words that stay true when the shop becomes unreachable.

import { ErrorResponse } from "./api.js";
import { setText } from "./element.js";
import { INTERVAL_MS } from "./poll.js";

export class ShopState {
  #updatedAt = null;

  constructor(node, label) {
    Object.assign(this, { node, label });
  }

  showLive() {
    this.#updatedAt = new Date();
    this.#show("live", "live");
  }

  showPaused() {
    this.#show("paused", "paused while you point at a button");
  }

  showFailure(error) {
    const cause =
      error instanceof ErrorResponse
        ? `the shop has a problem: ${error.message.replace(/\.$/, "")}` // a full sentence, but here more follows
        : "cannot reach the shop";
    const since = this.#updatedAt ? ` · last updated ${this.#updatedAt.toLocaleTimeString("en-GB")}` : "";
    this.#show("away", `${cause}${since} · trying again every ${INTERVAL_MS / 1000} s`);
  }

  #show(state, text) {
    this.node.dataset.state = state;
    setText(this.label, text);
  }
}
