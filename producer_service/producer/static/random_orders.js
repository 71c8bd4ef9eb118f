// Random orders in chunks: "n of n placed" is what the server has confirmed, and Stop means stop.

import { ask, isUndecided } from "./api.js";
import { Attempt } from "./attempt.js";
import { clearErrors, clearOnInput, showErrors } from "./field_errors.js";

const CHUNK = 50;
const MOST = 1000;

const part = (id) => document.getElementById(id);

export function randomOrders(form, onPlaced) {
  const view = new View(form);
  let run = null;

  async function go() {
    view.running();
    view.progress(run);
    try {
      await run.toTheEnd(() => {
        view.progress(run);
        onPlaced();
      });
      view.ended(
        run,
        run.isOver ? `${run.placed} of ${run.wanted} placed.` : `Stopped: ${run.placed} of ${run.wanted} placed.`,
      );
    } catch (error) {
      view.ended(run, failure(form, run, error));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!run?.active) {
      clearErrors(form);
      run = new Run(form.elements.namedItem("count").value.trim());
      go();
    }
  });
  view.goOn.addEventListener("click", () => go());
  view.stop.addEventListener("click", () => {
    run.stopped = true;
    view.stopping();
  });
  clearOnInput(form);
}

/** How far the orders that one press asked for have come. */
class Run {
  placed = 0;
  stopped = false;
  active = false;
  #chunk = new Attempt();

  /** What is no number from 1 to 1,000 is sent as it is: the server says what is wrong with it. */
  constructor(text) {
    this.wanted = /^[0-9]{1,9}$/.test(text) ? Number(text) : text;
    this.sendable = this.wanted >= 1 && this.wanted <= MOST;
  }

  get isOver() {
    return this.placed >= this.wanted;
  }

  async toTheEnd(onChunk) {
    this.stopped = false;
    this.active = true;
    try {
      do {
        this.placed += await this.#next();
        onChunk();
      } while (!this.isOver && !this.stopped);
    } finally {
      this.active = false;
    }
  }

  /** A chunk whose outcome is not known goes out again with its key, and is counted once. */
  async #next() {
    const body = { count: this.sendable ? Math.min(CHUNK, this.wanted - this.placed) : this.wanted };
    const headers = { "Idempotency-Key": this.#chunk.key({ ...body, from: this.placed }) };
    return (await ask("/orders/random", { method: "POST", body, headers })).count;
  }
}

/** The buttons, the bar and the words. Focus never falls off a button that goes away. */
class View {
  constructor(form) {
    Object.assign(this, { submit: form.querySelector("[type=submit]"), stop: part("stop"), goOn: part("go-on") });
    Object.assign(this, { bar: part("progress"), words: part("generated") });
  }

  running() {
    this.stop.disabled = false;
    this.#only(this.stop);
  }

  stopping() {
    this.stop.disabled = true;
    this.words.textContent += " · stopping…";
  }

  progress(run) {
    this.bar.hidden = !run.sendable;
    if (run.sendable) {
      Object.assign(this.bar, { max: run.wanted, value: run.placed });
    }
    this.words.textContent = run.sendable ? `${run.placed} of ${run.wanted} placed` : "";
  }

  ended(run, words) {
    this.words.textContent = words;
    this.bar.hidden = !run.sendable;
    this.#only(this.submit, run.sendable && !run.isOver ? this.goOn : null);
  }

  #only(...shown) {
    const buttons = [this.submit, this.stop, this.goOn];
    const hadFocus = buttons.includes(document.activeElement);
    buttons.forEach((button) => (button.hidden = !shown.includes(button)));
    if (hadFocus) {
      (shown[1] ?? shown[0]).focus();
    }
  }
}

function failure(form, run, error) {
  if (error.errors?.length) {
    return showErrors(form, error.errors).join(" ");
  }
  const words = `${error.message} ${run.placed} of ${run.wanted} placed.`;
  return isUndecided(error) ? `${words} Go on when it is back: none is placed twice.` : words;
}
