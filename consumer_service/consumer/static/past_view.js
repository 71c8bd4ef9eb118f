// The table as a window on the past: what was missed, put in its place, and the events from a time on, page by page.

import { parse } from "./events.js";
import { describeGap } from "./gaps.js";
import { MAX_ROWS } from "./table.js";

const FAILURES = {
  busy: "The server has reached its limit of viewers. Try again in a moment.",
  failed: "The past could not be read. Try again in a moment.",
  left: "The past was not read to its end, as this page was left or put to sleep. Try again.",
};
const WAITING = "Others are being sent past events. You are in line …";

export class PastView {
  #past;
  #table;
  #on;
  #window = null; // what is shown: {time, reached, ids}, where the next one begins
  #undrawn = [];

  /**
   * on: {say(text), changed(), arrived(), live(), until(), reached()}. arrived is called when there is something to be
   * drawn; live when the table is to show live events again; until returns the position of the live events; reached is
   * called when what was missed is shown.
   */
  constructor(past, table, on) {
    this.#past = past;
    this.#table = table;
    this.#on = on;
  }

  /** Whether the table shows a part of the past: live events would push it out. */
  isOpen = false;

  /** Whether there are more events after those that are shown. */
  hasMore = false;

  /** Put the events of a gap between the others. */
  showMissed({ from, to }) {
    let [missed, shown, gap] = [0, 0, ""];
    this.#past.open(from, to, {
      event: (text) => {
        missed += 1;
        shown += this.#table.insert([parse(text)].filter(Boolean));
        return shown < MAX_ROWS;
      },
      state: (state) => this.#on.say(state === "waiting" ? WAITING : "Reading what was missed …"),
      gap: (data) => {
        gap = ` ${describeGap(data)}`;
      },
      end: (reason) => {
        this.#on.say(FAILURES[reason] ?? describeMissed(missed, shown) + gap);
        if (!FAILURES[reason]) {
          this.#on.reached();
        }
        this.#on.changed();
      },
    });
  }

  /** Show the events from a time on instead of the live ones, as many as the table holds. time: a Date. */
  showFrom(time) {
    this.#show({ time, reached: time.toISOString(), ids: new Set() });
  }

  /** Show what comes after the events that are shown. */
  showMore() {
    const { last, reached, ids } = this.#window;
    this.#show({ time: last, reached, ids });
  }

  /** Draw the events that have come since the last time. They are no news, and do not look like news. */
  draw() {
    this.#table.addNewest(this.#undrawn, { areNews: false });
    this.#undrawn = [];
  }

  /** Leave the past. */
  close() {
    this.#past.close();
    this.#undrawn = [];
    this.isOpen = false;
    this.hasMore = false;
    this.#window = null;
    this.#on.changed();
  }

  /**
   * Show a window. ids: of the events that were shown after the position that was reached: a position is told only at the
   * end of a flush, so these come again.
   */
  #show({ time, reached, ids }) {
    const next = { time, last: time, reached, ids: new Set() };
    const reading = `Reading from ${time.toLocaleString()} …`;
    let gap = "";
    this.isOpen = true;
    this.#window = { ...next, ids };
    this.#undrawn = [];
    this.#table.clear();
    this.#on.say(reading);
    this.#on.changed();
    this.#past.open(reached, this.#on.until() || null, {
      event: (text, position) => {
        const event = parse(text);
        if (event && this.#isFull()) {
          return false;
        }
        if (position && position !== next.reached) {
          next.reached = position;
          next.ids.clear();
        } else if (event) {
          next.ids.add(event.id);
        }
        if (event && !ids.has(event.id)) {
          this.#undrawn.push(event);
          this.#on.arrived();
          next.last = dateOf(event) ?? next.last;
        }
        return true;
      },
      state: (state) => this.#on.say(state === "waiting" ? WAITING : reading),
      gap: (data) => {
        gap = data.reason === "expired" ? " Kafka no longer has everything from then on." : ` ${describeGap(data)}`;
      },
      end: (reason) => this.#end(reason, next, gap),
    });
  }

  /** Return whether the table holds no more events. Only drawing tells how many rows some events make. */
  #isFull() {
    if (this.#table.size + this.#undrawn.length >= MAX_ROWS) {
      this.draw();
    }
    return this.#table.size >= MAX_ROWS;
  }

  #end(reason, shown, gap) {
    this.draw();
    const since = `${count(this.#table.size)} since ${shown.time.toLocaleString()}`;
    if (reason === "reached") {
      this.#on.say(`${since}.${gap} Live again.`);
      this.isOpen = false;
      this.hasMore = false;
      this.#on.live();
    } else if (reason === "full") {
      this.#window = shown;
      this.hasMore = true;
      this.#on.say(`${since}, until ${shown.last.toLocaleTimeString()}.${gap} New events are not shown meanwhile.`);
    } else {
      this.hasMore = true; // the same again
      this.#window = { ...this.#window, last: this.#window.time };
      this.#on.say(FAILURES[reason]);
    }
    this.#on.changed();
  }
}

function describeMissed(missed, shown) {
  if (missed && !shown) {
    return `${count(missed)} ${were(missed)} missed, and the table is full of newer ones. Clear it, or show them by From.`;
  }
  const more = shown >= MAX_ROWS ? " The table holds no more." : "";
  return `${count(shown)} that ${were(shown)} missed, in order of time.${more}`;
}

function dateOf(event) {
  const moment = Date.parse(event.time);
  return Number.isNaN(moment) ? null : new Date(moment);
}

function count(events) {
  return `${events.toLocaleString()} ${events === 1 ? "event" : "events"}`;
}

function were(events) {
  return events === 1 ? "was" : "were";
}
