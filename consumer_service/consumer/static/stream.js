// The connection: keeps one EventSource open, remembers the position it has reached, and reports its state.
//
// The server sends a block at least every 15 s. Without one for SILENCE_MS the page is not connected, whatever the
// browser says: a frozen server or a lost network leaves an EventSource "open" for minutes.

const SILENCE_MS = 25_000;
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 15_000;

export class Stream {
  #url;
  #on;
  #source = null;
  #timer = null;
  #waitMs = MIN_WAIT_MS;
  #heardAt = 0;
  #state = "connecting";
  #position;
  #hasBegun = false;

  /**
   * on: the callbacks {state(name), event(text), gap(data), begin(position)}; begin is called once, with the position
   * before everything that the stream brings.
   */
  constructor(url, position, on) {
    this.#url = url;
    this.#position = position;
    this.#on = on;
  }

  start() {
    setInterval(() => this.#checkSilence(), 1_000);
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => event.persisted && this.#open());
    addEventListener("online", () => this.#state !== "live" && this.#open());
    this.#open();
  }

  get position() {
    return this.#position;
  }

  #open() {
    this.#close();
    this.#heardAt = performance.now();
    const query = this.#position ? `?from=${encodeURIComponent(this.#position)}` : "";
    const source = new EventSource(this.#url + query);
    this.#source = source;
    source.addEventListener("message", (event) => {
      this.#hear(event);
      this.#on.event(event.data);
    });
    source.addEventListener("error", () => this.#handleError());
    source.addEventListener("status", (event) => {
      this.#hear(event);
      this.#waitMs = MIN_WAIT_MS;
      if (!this.#hasBegun) {
        this.#hasBegun = true;
        this.#on.begin(event.lastEventId);
      }
      this.#setState(JSON.parse(event.data).state);
    });
    source.addEventListener("gap", (event) => {
      this.#hear(event);
      this.#on.gap(JSON.parse(event.data));
    });
    source.addEventListener("busy", (event) => {
      this.#hear(event);
      // Any other reason means that no consumer can be reached: it is starting, or there is none behind the gateway.
      this.#setState(JSON.parse(event.data).reason === "streams" ? "busy" : "reconnecting");
    });
  }

  #close() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#source?.close();
    this.#source = null;
  }

  #hear(event) {
    this.#heardAt = performance.now();
    if (event.lastEventId) {
      this.#position = event.lastEventId;
    }
  }

  /** Open a new source if this one is CLOSED: the browser reconnects by itself only while it is CONNECTING. */
  #handleError() {
    if (this.#state !== "busy") {
      this.#setState("reconnecting");
    }
    if (this.#source?.readyState === EventSource.CLOSED && !this.#timer) {
      this.#timer = setTimeout(() => this.#open(), this.#waitMs * (0.5 + Math.random()));
      this.#waitMs = Math.min(this.#waitMs * 2, MAX_WAIT_MS);
    }
  }

  #checkSilence() {
    if (!this.#source || performance.now() - this.#heardAt < SILENCE_MS) {
      return;
    }
    this.#setState("reconnecting");
    this.#open();
  }

  #setState(name) {
    this.#state = name;
    this.#on.state(name);
  }
}
