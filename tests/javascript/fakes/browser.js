// A browser with several tabs: what its tabs share, and what each has of its own.
//
// Nothing happens by itself. All that reaches a tab is a task in one of its queues: of its locks and timers, of each of
// the other tabs, and of its connection. Each queue keeps its order; a test says which one goes on.

import { setImmediate } from "node:timers";
import { Events } from "./dom.js";
import { FakeLocks } from "./locks.js";

const MAX_CONNECTIONS = 6;

export class FakeBrowser {
  tabs = [];
  locks = new FakeLocks();
  now = 1_000;

  constructor(server) {
    this.server = server;
  }

  open(options) {
    const tab = new FakeTab(this, options);
    this.tabs.push(tab);
    return tab;
  }

  get sources() {
    return this.tabs.flatMap((tab) => tab.sources);
  }

  get connections() {
    return this.sources.filter((source) => source.readyState === 1);
  }

  /** Give free connections to those that wait for one, the oldest first. */
  connect() {
    const waiting = this.sources.filter((source) => source.wantsConnection).sort((a, b) => a.number - b.number);
    waiting.slice(0, MAX_CONNECTIONS - this.connections.length).forEach((source) => source.connect());
  }

  /** Move the clock; what is due becomes a task. */
  pass(ms) {
    this.now += ms;
    this.tabs.forEach((tab) => tab.wake());
  }

  /** Run tasks until there are none; also what the server has to send, if `withServer`. */
  async settle(withServer = true) {
    for (;;) {
      this.connect();
      if (withServer) {
        this.server.connections.forEach((connection) => this.server.flush(connection));
      }
      const ready = this.tabs.flatMap((tab) => tab.ready);
      if (!ready.length) {
        return;
      }
      for (const queue of ready) {
        await run(queue);
      }
    }
  }
}

/** Run the first task of a queue, and what follows from it at once. */
export async function run(queue) {
  queue.shift()?.();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

let sourceNumber = 0;

class FakeTab extends Events {
  document = new Events();
  sources = [];
  isFrozen = false;
  isDead = false;
  #queues = new Map();
  #timers = new Map();
  #ids = 0;

  constructor(browser, { hasLocks = true, hasChannels = true } = {}) {
    super();
    this.browser = browser;
    const tab = this;
    this.navigator = hasLocks ? { locks: browser.locks.of(this) } : {};
    this.performance = { now: () => browser.now };
    this.BroadcastChannel = hasChannels
      ? class extends FakeChannel {
          constructor(name) {
            super(tab, name);
          }
        }
      : undefined;
    this.channels = [];
    this.EventSource = class extends FakeSource {
      static CLOSED = 2;

      constructor(url) {
        super(tab, url);
      }
    };
  }

  /** Return the queues that have a task, if this tab runs tasks at all. */
  get ready() {
    return this.isFrozen || this.isDead ? [] : [...this.#queues.values()].filter((queue) => queue.length);
  }

  task(call, from = this) {
    if (!this.#queues.has(from)) {
      this.#queues.set(from, []);
    }
    this.#queues.get(from).push(call);
  }

  setInterval(call, every) {
    return this.#add({ call, every, at: this.browser.now + every });
  }

  setTimeout(call, ms) {
    return this.#add({ call, at: this.browser.now + ms });
  }

  clearInterval(id) {
    this.#timers.delete(id);
  }

  clearTimeout(id) {
    this.#timers.delete(id);
  }

  wake() {
    for (const [id, timer] of this.#timers) {
      if (timer.at <= this.browser.now && !timer.isQueued) {
        timer.isQueued = true;
        this.task(() => this.#fire(id, timer));
      }
    }
  }

  /** Stop it as SIGSTOP does; wake it with thaw. */
  freeze() {
    this.isFrozen = true;
  }

  thaw() {
    this.isFrozen = false;
  }

  /** Close it, or let it crash. */
  kill() {
    this.isDead = true;
    this.browser.locks.drop(this);
    this.sources.forEach((source) => source.close());
    this.channels = [];
  }

  #add(timer) {
    this.#ids += 1;
    this.#timers.set(this.#ids, timer);
    return this.#ids;
  }

  #fire(id, timer) {
    if (!this.#timers.has(id)) {
      return;
    }
    timer.isQueued = false;
    timer.at = this.browser.now + timer.every;
    if (!timer.every) {
      this.#timers.delete(id);
    }
    timer.call();
  }
}

class FakeChannel extends Events {
  constructor(tab, name) {
    super();
    this.tab = tab;
    this.name = name;
    tab.channels.push(this);
  }

  postMessage(data) {
    const copy = structuredClone(data);
    for (const tab of this.tab.browser.tabs) {
      for (const channel of tab.channels) {
        if (channel !== this && channel.name === this.name) {
          tab.task(() => tab.channels.includes(channel) && channel.dispatch("message", { data: copy }), this.tab);
        }
      }
    }
  }

  close() {
    this.tab.channels = this.tab.channels.filter((each) => each !== this);
  }
}

/** An EventSource. It waits for a free connection, and comes back with its last id when that is cut. */
class FakeSource extends Events {
  readyState = 0;
  wantsConnection = true;
  #from;
  #wantsStats;
  #lastId = "";
  #connection = null;

  constructor(tab, url) {
    super();
    sourceNumber += 1;
    this.number = sourceNumber;
    this.tab = tab;
    this.url = url;
    const query = new URL(url, "http://localhost").searchParams;
    this.#from = query.get("from");
    this.#wantsStats = query.get("stats") === "1";
    tab.sources.push(this);
  }

  connect() {
    this.wantsConnection = false;
    this.readyState = 1;
    const connection = { wantsStats: this.#wantsStats };
    connection.send = (type, data, id) => this.tab.task(() => this.#receive(connection, type, data, id), this);
    this.#connection = connection;
    this.tab.browser.server.serve(connection, this.#lastId || this.#from);
  }

  /** Cut the connection; isForGood: as after an answer that is no stream. */
  cut(isForGood) {
    this.#disconnect();
    this.readyState = isForGood ? 2 : 0;
    this.wantsConnection = !isForGood;
    this.tab.task(() => this.dispatch("error"), this);
  }

  close() {
    this.#disconnect();
    this.readyState = 2;
    this.wantsConnection = false;
    this.tab.sources = this.tab.sources.filter((each) => each !== this);
  }

  #disconnect() {
    if (this.#connection) {
      this.tab.browser.server.leave(this.#connection);
    }
    this.#connection = null;
  }

  #receive(connection, type, data, id) {
    if (connection === this.#connection) {
      this.#lastId = id || this.#lastId;
      const text = typeof data === "string" ? data : JSON.stringify(data);
      this.dispatch(type, { data: text, lastEventId: this.#lastId });
    }
  }
}
