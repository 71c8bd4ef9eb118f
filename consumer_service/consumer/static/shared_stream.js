// One connection for all tabs of a browser: browsers open six to a server, and with a stream in each tab the seventh tab
// would have none left, not even for its buttons.
//
// Every tab begins with a connection of its own. Once that works it waits for the lock. The tab that gets it is the
// holder, and passes on all that its stream brings. The others close theirs as soon as they are in step with it; each
// goes on counting its own position, from which it resumes as the next holder, or when it has missed a message. Where
// locks or channels are missing (http to another host, old browsers), each tab stays on its own.

import { ConnectionLock } from "./connection_lock.js";
import { Follower } from "./follower.js";
import { Holder } from "./holder.js";
import { isConnected, isFromHolder, isGap, isQuestion, isStats, isWish, NAME, QUESTION, WISH } from "./messages.js";
import { covers, union } from "./position.js";
import { FORGOTTEN_MS, StatsWish } from "./stats_wish.js";
import { Stream } from "./stream.js";
import { Watch } from "./watch.js";

export class SharedStream {
  #tab;
  #on;
  #stream;
  #follower = new Follower();
  #watch;
  #wish;
  #forgetting = null;
  #stats = null; // the newest figures that our own stream has brought
  #holder = null; // while we are it
  #lock = null;
  #channel = null;
  #ticks = null;
  #isHere = false;
  #confirmed = null; // where our own connection has resumed, as the server said
  #flush = []; // the blocks of our own stream since its last position
  #shown = { state: "connecting", data: {} };

  /** on: see Stream; `reached` is not called, and a tab that shows no figures has no `stats`. time(text, heardAt): what
   * the server says its time is, and when that was heard, in milliseconds of Date.now(). tab: the window. */
  constructor(url, position, on, tab = window) {
    this.#tab = tab;
    this.#on = on;
    this.#stream = new Stream(url, position, this.#ownCallbacks(), tab);
    this.#watch = new Watch(
      () => tab.performance.now(),
      () => this.#send(QUESTION),
    );
    this.#wish = new StatsWish(
      () => tab.performance.now(),
      () => this.#channel && this.#send(WISH),
      { isShown: Boolean(on.stats), isSeen: !tab.document.hidden },
    );
    this.#stream.askForStats(this.#wish.isOwn);
  }

  get position() {
    return this.#stream.position;
  }

  start() {
    const tab = this.#tab;
    tab.addEventListener("pagehide", () => this.#leave());
    tab.addEventListener("pageshow", (event) => event.persisted && this.#enter());
    tab.document.addEventListener("visibilitychange", () => this.#see(!tab.document.hidden));
    tab.document.addEventListener("freeze", () => this.#leave());
    tab.document.addEventListener("resume", () => this.#enter());
    this.#enter();
  }

  #enter() {
    if (!this.#isHere) {
      this.#isHere = true;
      this.#openChannel();
      this.#openOwn();
    }
  }

  /** Give up everything: a page that is frozen, or in the browser's cache, must not keep the others waiting. */
  #leave() {
    this.#isHere = false;
    this.#stream.close();
    this.#closeChannel();
  }

  #openChannel() {
    const { navigator, BroadcastChannel } = this.#tab;
    if (!navigator.locks || !BroadcastChannel) {
      return;
    }
    try {
      this.#channel = new BroadcastChannel(NAME);
    } catch {
      return; // a page without storage
    }
    this.#channel.addEventListener("message", ({ data }) => this.#hear(data));
    this.#lock = new ConnectionLock(navigator.locks, NAME, {
      gained: () => this.#hold(),
      lost: () => this.#follow(),
      failed: () => this.#stayAlone(),
    });
    this.#ticks = this.#tab.setInterval(() => this.#checkHolder(), 1_000);
    this.#watch.hear();
    this.#send(QUESTION);
    this.#wish.tell();
  }

  #closeChannel() {
    this.#tab.clearInterval(this.#ticks);
    this.#lock?.leave();
    this.#channel?.close();
    this.#lock = null;
    this.#channel = null;
    this.#holder = null;
    this.#follower.reset();
  }

  #send(message) {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is of one origin
    this.#channel.postMessage(message);
  }

  #openOwn() {
    this.#confirmed = null;
    this.#flush = [];
    this.#stream.open();
  }

  // What our own connection brings

  #ownCallbacks() {
    return {
      event: (text) => this.#take(["message", text]),
      gap: (data) => {
        this.#confirmed = this.position;
        this.#take(["gap", JSON.stringify(data)]);
      },
      begin: (position) => this.#on.begin(position),
      state: (state, data) => this.#takeState(state, data),
      reached: () => this.#reach(),
      stats: (text) => this.#takeStats(text),
    };
  }

  #takeStats(text) {
    this.#stats = text;
    this.#on.stats?.(text);
    if (this.#holder) {
      this.#send({ stats: text });
    }
  }

  #take(block) {
    this.#flush.push(block);
    this.#showBlock(block);
  }

  #takeState(state, said) {
    const data = said.time ? { ...said, heardAt: Date.now() } : said; // for the other tabs, which hear of it later
    if (state === "reconnecting") {
      this.#confirmed = null;
      this.#flush = []; // the server sends an unfinished flush again
    }
    this.#show({ state, data });
    this.#holder?.sayState(this.#shown);
  }

  #reach() {
    const blocks = this.#flush;
    this.#flush = [];
    if (!this.#shown.data.gap) {
      this.#confirmed ??= this.position; // else a gap follows, and says where
    }
    if (this.#holder) {
      this.#holder.say(this.position, this.#shown, blocks);
      return;
    }
    if (!this.#shown.data.replay) {
      this.#lock?.wait(); // not while we are sent old events: the others would wait for them too
    }
    this.#join();
  }

  // As the holder

  #hold() {
    const { isInStep, latest } = this.#follower;
    const since = Math.max(Date.now(), (latest?.since ?? 0) + 1);
    this.#follower.reset();
    this.#askForStats();
    if (isInStep) {
      this.#openOwn(); // before others do, who may have to: there may be no connection left
    }
    this.#holder = new Holder((message) => this.#send(message), {
      since,
      log: isInStep ? latest.log : "",
      position: this.position,
    });
    this.#holder.say(this.position, this.#shown);
  }

  /** Have figures sent only while they are seen: those of a tab that is hidden for long are forgotten. */
  #see(isSeen) {
    this.#wish.see(isSeen);
    this.#tab.clearTimeout(this.#forgetting);
    if (isSeen) {
      this.#wish.tell();
      this.#askForOwn();
    } else {
      this.#forgetting = this.#tab.setTimeout(() => this.#askForOwn(), FORGOTTEN_MS);
    }
  }

  #askForOwn() {
    this.#askForStats(this.#holder ? this.#wish.isAnyones : this.#wish.isOwn);
  }

  /** Have figures sent as long as a tab shows them. A flush that we have in part is sent again. */
  #askForStats(isWanted = this.#wish.isAnyones) {
    if (isWanted !== this.#stream.isWithStats) {
      this.#confirmed = null;
      this.#flush = [];
      this.#stats = null;
      this.#stream.askForStats(isWanted);
    }
  }

  #serveWish() {
    this.#askForStats();
    if (this.#stats) {
      this.#send({ stats: this.#stats });
    }
  }

  // As one of the others

  /** Follow the tab that took the lock away. We may have been frozen for long: first the server is to tell. */
  #follow() {
    this.#holder = null;
    this.#openOwn();
    this.#watch.hear();
    this.#send(QUESTION);
  }

  /** Go on without the others: the browser has refused the lock. */
  #stayAlone() {
    const { isInStep } = this.#follower;
    this.#closeChannel();
    if (isInStep) {
      this.#openOwn();
    }
  }

  #hear(message) {
    if (isWish(message)) {
      this.#wish.hear();
    }
    if (this.#holder) {
      if (isWish(message)) {
        this.#serveWish();
      } else if (isQuestion(message)) {
        this.#stream.check(); // our timers may be late, and a visible tab waits
        this.#holder.answer();
      }
    } else if (isStats(message)) {
      this.#on.stats?.(message.stats);
    } else if (isFromHolder(message) && this.#follower.isCurrent(message)) {
      if (message.holder !== this.#follower.latest?.holder) {
        this.#wish.tell();
      }
      if (!this.#confirmed || isConnected(message)) {
        this.#watch.hear(); // a holder that cannot connect while we can is no better than a frozen one
      }
      this.#takeFromHolder(message);
    }
  }

  #takeFromHolder(message) {
    const wasInStep = this.#follower.isInStep;
    this.#showAll(this.#follower.take(message, this.position));
    if (this.#follower.isInStep) {
      this.#show(message);
    } else if (wasInStep) {
      this.#openOwn();
    } else {
      this.#join();
    }
  }

  /** Close our own connection if the holder's messages bring all that we lack. */
  #join() {
    const { latest } = this.#follower;
    if (!this.#confirmed || !latest || latest.data.replay) {
      return;
    }
    const messages = this.#follower.join(this.position, this.#confirmed);
    if (this.#follower.isInStep) {
      this.#stream.close();
      this.#confirmed = null;
      this.#showAll(messages);
      this.#show(latest);
    }
  }

  #checkHolder() {
    this.#wish.tellAgain();
    if (this.#holder) {
      this.#askForStats();
    }
    if (this.#lock.isWaiting && this.#watch.hasGivenUp()) {
      this.#watch.hear();
      this.#lock.steal();
    }
  }

  // What is shown

  #showAll(messages) {
    for (const { blocks, position } of messages) {
      const hasGap = blocks.some(isGap);
      if (hasGap || !covers(this.position, position)) {
        this.#stream.position = hasGap ? position : union(this.position, position);
        blocks.forEach((block) => this.#showBlock(block));
      }
    }
  }

  #showBlock(block) {
    const [, text] = block;
    if (isGap(block)) {
      this.#on.gap(JSON.parse(text));
    } else {
      this.#on.event(text);
    }
  }

  #show({ state, data }) {
    this.#shown = { state, data };
    if (data.time) {
      this.#on.time(data.time, data.heardAt);
    }
    this.#on.state(state, data);
  }
}
