// Random orders in chunks: "n of n placed" counts only what the server has confirmed; Stop ends after the running chunk.

import { isOutcomeUnknown, request } from "./api.js";
import { Attempt } from "./attempt.js";
import { byId } from "./element.js";
import { clearErrors, clearOnInput, showErrors } from "./field_errors.js";

const CHUNK_SIZE = 50;
const MAX_ORDERS = 1000;

/** Connect the form, and call onPlaced() after each chunk. */
export function randomOrders(form, onPlaced) {
  const view = new View(form);
  let run = null;

  async function start() {
    view.showRunning();
    view.showProgress(run);
    try {
      await run.placeAll(() => {
        view.showProgress(run);
        onPlaced();
      });
      view.showEnd(run, run.isComplete ? `${run.progress}.` : `Stopped: ${run.progress}.`);
    } catch (error) {
      view.showEnd(run, showFailure(form, run, error));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!run?.isActive) {
      clearErrors(form);
      run = new Run(form.elements.namedItem("count").value.trim());
      start();
    }
  });
  view.resume.addEventListener("click", () => start());
  view.stop.addEventListener("click", () => {
    run.isStopped = true;
    view.showStopping();
  });
  clearOnInput(form);
}

/** The orders that one press of the button asked for, and how many of them are placed. */
class Run {
  placed = 0;
  isStopped = false;
  isActive = false;
  #chunk = new Attempt();

  /** Anything but a number from 1 to 1,000 is sent as it is, so that the server says what is wrong with it. */
  constructor(text) {
    this.wanted = /^[0-9]{1,9}$/.test(text) ? Number(text) : text;
    this.isValid = typeof this.wanted === "number" && this.wanted >= 1 && this.wanted <= MAX_ORDERS;
  }

  get isComplete() {
    return this.placed >= this.wanted;
  }

  get progress() {
    return `${this.placed} of ${this.wanted} placed`;
  }

  /** Place the missing orders until all are placed or Stop was pressed. */
  async placeAll(onChunk) {
    this.isStopped = false;
    this.isActive = true;
    try {
      do {
        this.placed += await this.#placeChunk();
        onChunk();
      } while (!this.isComplete && !this.isStopped);
    } finally {
      this.isActive = false;
    }
  }

  /** Place one chunk. One whose outcome is not known is sent again with the same key, and counted once. */
  async #placeChunk() {
    const body = { count: this.isValid ? Math.min(CHUNK_SIZE, this.wanted - this.placed) : this.wanted };
    const headers = { "Idempotency-Key": this.#chunk.key({ ...body, from: this.placed }) };
    return (await request("/orders/random", { method: "POST", body, headers })).count;
  }
}

/** The buttons, the bar and the message. A button that disappears passes its focus on. */
class View {
  constructor(form) {
    Object.assign(this, { submit: form.querySelector("[type=submit]"), stop: byId("stop"), resume: byId("resume") });
    Object.assign(this, { bar: byId("progress"), message: byId("generated") });
  }

  showRunning() {
    this.stop.disabled = false;
    this.#showOnly(this.stop);
  }

  showStopping() {
    this.stop.disabled = true;
    this.message.textContent += " · stopping…";
  }

  showProgress(run) {
    this.bar.hidden = !run.isValid;
    if (run.isValid) {
      Object.assign(this.bar, { max: run.wanted, value: run.placed });
    }
    this.message.textContent = run.isValid ? run.progress : "";
  }

  showEnd(run, message) {
    this.message.textContent = message;
    this.bar.hidden = !run.isValid;
    this.#showOnly(this.submit, run.isValid && !run.isComplete ? this.resume : null);
  }

  #showOnly(...shown) {
    const buttons = [this.submit, this.stop, this.resume];
    const hadFocus = buttons.includes(document.activeElement);
    buttons.forEach((button) => (button.hidden = !shown.includes(button)));
    if (hadFocus) {
      (shown[1] ?? shown[0]).focus();
    }
  }
}

/** Show the errors of the fields and return the failure in full sentences. */
function showFailure(form, run, error) {
  if (error.errors?.length) {
    return showErrors(form, error.errors).join(" ");
  }
  const message = `${error.message} ${run.progress}.`;
  return isOutcomeUnknown(error)
    ? `${message} Press Continue when the shop is back: no order is placed twice.`
    : message;
}
