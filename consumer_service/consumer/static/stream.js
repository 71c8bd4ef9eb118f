// The connection: keeps one EventSource open, knows the position reached, and says in one word how things stand.
//
// The server sends a block at least every 15 s. A page that has seen none for SILENCE_MS is not connected, whatever
// the browser says: a frozen server or a lost network leaves an EventSource "open" for minutes.

const SILENCE_MS = 25_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;

export class Stream {
  #url;
  #on;
  #source = null;
  #timer = null;
  #wait = FIRST_WAIT_MS;
  #heardAt = 0;
  #state = "connecting";
  #position;

  // on: {state(word), event(text), gap(data)}
  constructor(url, position, on) {
    this.#url = url;
    this.#position = position;
    this.#on = on;
  }

  start() {
    setInterval(() => this.#watch(), 1_000);
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
    source.addEventListener("error", () => this.#trouble());
    source.addEventListener("status", (event) => {
      this.#hear(event);
      this.#wait = FIRST_WAIT_MS;
      this.#say(JSON.parse(event.data).state);
    });
    source.addEventListener("gap", (event) => {
      this.#hear(event);
      this.#on.gap(JSON.parse(event.data));
    });
    source.addEventListener("busy", (event) => {
      this.#hear(event);
      this.#say(JSON.parse(event.data).reason === "starting" ? "reconnecting" : "busy");
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

  // The browser comes back by itself while the source is CONNECTING; one that is CLOSED never would.
  #trouble() {
    if (this.#state !== "busy") {
      this.#say("reconnecting");
    }
    if (this.#source?.readyState === EventSource.CLOSED && !this.#timer) {
      this.#timer = setTimeout(() => this.#open(), this.#wait * (0.5 + Math.random()));
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    }
  }

  #watch() {
    if (!this.#source || performance.now() - this.#heardAt < SILENCE_MS) {
      return;
    }
    this.#say("reconnecting");
    this.#open();
  }

  #say(word) {
    this.#state = word;
    this.#on.state(word);
  }
}
