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
  #tab;
  #ticks = null;
  #timer = null;
  #openAt = 0;
  #waitMs = MIN_WAIT_MS;
  #heardAt = 0;
  #state = "connecting";
  #position;
  #hasBegun = false;
  #withStats = false;

  /**
   * on: the callbacks {state(name, data), event(text), gap(data), begin(position), reached(), stats(text)}; data is what
   * the server has said about the state, {} if it has said nothing. begin is called once, with the position before
   * everything that the stream brings; reached after each block that ends at a position of its own; stats after
   * askForStats only. tab: the window.
   */
  constructor(url, position, on, tab = window) {
    this.#url = url;
    this.#position = position;
    this.#on = on;
    this.#tab = tab;
    tab.addEventListener("online", () => this.#source && this.#state !== "live" && this.#connect());
  }

  get position() {
    return this.#position;
  }

  /** Tell what has been reached by other ways while this stream was closed. */
  set position(position) {
    this.#position = position;
  }

  get isWithStats() {
    return this.#withStats;
  }

  /** Ask for figures too, or no longer. A source that is open is replaced by one that goes on where it is. */
  askForStats(isWanted) {
    const hasChanged = this.#withStats !== isWanted;
    this.#withStats = isWanted;
    if (hasChanged && this.#source && !this.#timer) {
      this.#connect();
    }
  }

  open() {
    this.#ticks ??= this.#tab.setInterval(() => this.check(), 1_000);
    this.#connect();
  }

  close() {
    this.#tab.clearInterval(this.#ticks);
    this.#ticks = null;
    this.#disconnect();
  }

  /** Do what is due. A timer of a hidden tab may be a minute late: whoever knows that the time has come may call this. */
  check() {
    if (this.#timer && this.#tab.performance.now() >= this.#openAt) {
      this.#connect();
    } else {
      this.#checkSilence();
    }
  }

  #connect() {
    this.#disconnect();
    this.#heardAt = this.#tab.performance.now();
    const query = this.#position ? `?from=${encodeURIComponent(this.#position)}` : "";
    const wish = this.#withStats ? `${query ? "&" : "?"}stats=1` : "";
    const source = new this.#tab.EventSource(this.#url + query + wish);
    this.#source = source;
    source.addEventListener("message", (event) => {
      const hasMoved = this.#hear(event);
      this.#on.event(event.data);
      if (hasMoved) {
        this.#on.reached();
      }
    });
    source.addEventListener("error", () => source === this.#source && this.#handleError());
    source.addEventListener("status", (event) => {
      this.#hear(event);
      this.#waitMs = MIN_WAIT_MS;
      if (!this.#hasBegun) {
        this.#hasBegun = true;
        this.#on.begin(event.lastEventId);
      }
      const data = JSON.parse(event.data);
      this.#setState(data.state, data);
      this.#on.reached();
    });
    source.addEventListener("gap", (event) => {
      this.#hear(event);
      this.#on.gap(JSON.parse(event.data));
      this.#on.reached();
    });
    source.addEventListener("stats", (event) => {
      this.#heardAt = this.#tab.performance.now();
      this.#on.stats(event.data);
    });
    source.addEventListener("busy", (event) => {
      this.#hear(event);
      const data = JSON.parse(event.data);
      // Any other reason means that no consumer can be reached: it is starting, or there is none behind the gateway.
      this.#setState(data.reason === "streams" ? "busy" : "reconnecting", data);
    });
  }

  #disconnect() {
    this.#tab.clearTimeout(this.#timer);
    this.#timer = null;
    this.#source?.close();
    this.#source = null;
  }

  /** Take note of a block; return whether it has moved the position. Without an id it bears that of the last one. */
  #hear(event) {
    this.#heardAt = this.#tab.performance.now();
    const last = this.#position;
    this.#position = event.lastEventId || last;
    return this.#position !== last;
  }

  /** Open a new source if this one is CLOSED: the browser reconnects by itself only while it is CONNECTING. */
  #handleError() {
    if (this.#state !== "busy") {
      this.#setState("reconnecting");
    }
    if (this.#source?.readyState === this.#tab.EventSource.CLOSED && !this.#timer) {
      const waitMs = this.#waitMs * (0.5 + Math.random());
      this.#openAt = this.#tab.performance.now() + waitMs;
      this.#timer = this.#tab.setTimeout(() => this.#connect(), waitMs);
      this.#waitMs = Math.min(this.#waitMs * 2, MAX_WAIT_MS);
    }
  }

  #checkSilence() {
    if (!this.#source || this.#tab.performance.now() - this.#heardAt < SILENCE_MS) {
      return;
    }
    this.#setState("reconnecting");
    this.#connect();
  }

  #setState(name, data = {}) {
    this.#state = name;
    this.#on.state(name, data);
  }
}
