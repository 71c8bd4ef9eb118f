// The server's side of a page: answers to fetch, and event sources that a test sends from.

export class FakeServer {
  requests = [];
  #answers = [];

  /** Put this server in the place of the network. */
  install() {
    globalThis.fetch = (url, options = {}) => this.#fetch(String(url), options);
  }

  /** Answer the next requests; the last answer is repeated. An answer is an object, or a function of the request. */
  answer(...answers) {
    this.#answers = answers;
  }

  get last() {
    return this.requests.at(-1);
  }

  async #fetch(url, { method = "GET", headers = {}, body, ...options }) {
    const request = { url, method, headers, options, body: body === undefined ? undefined : JSON.parse(body) };
    this.requests.push(request);
    const next = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    return response(await (typeof next === "function" ? next(request) : next));
  }
}

/** Throw what fetch throws when there is no answer. */
export function unreachable() {
  throw new TypeError("Failed to fetch");
}

/** Hold an answer back: [answer, release]. */
export function held() {
  let release;
  const promise = new Promise((resolve) => {
    release = resolve;
  });
  return [() => promise, release];
}

function response({ status = 200, json, text = JSON.stringify(json), headers = {} } = {}) {
  return new Response([204, 304].includes(status) ? null : (text ?? ""), { status, headers });
}

export class FakeEventSource {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  static all = [];
  readyState = 0;
  #listeners = new Map();

  constructor(url) {
    this.url = url;
    FakeEventSource.all.push(this);
  }

  static install() {
    FakeEventSource.all = [];
    globalThis.EventSource = FakeEventSource;
  }

  static get last() {
    return FakeEventSource.all.at(-1);
  }

  addEventListener(type, call) {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), call]);
  }

  close() {
    this.readyState = FakeEventSource.CLOSED;
  }

  /** Send a block. id: the position after it, "" without one. */
  send(type, data, id = "") {
    if (this.readyState === FakeEventSource.CLOSED) {
      throw new Error("this source is closed");
    }
    this.readyState = FakeEventSource.OPEN;
    const event = { type, data: typeof data === "string" ? data : JSON.stringify(data), lastEventId: id };
    this.#dispatch(type, event);
  }

  /** Fail: the browser connects again by itself, unless isForGood. */
  fail(isForGood) {
    this.readyState = isForGood ? FakeEventSource.CLOSED : FakeEventSource.CONNECTING;
    this.#dispatch("error", { type: "error" });
  }

  #dispatch(type, event) {
    for (const call of this.#listeners.get(type) ?? []) {
      call(event);
    }
  }
}
