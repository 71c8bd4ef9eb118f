// The table as a window on the past: what was missed, put in its place, and the events from a time on, page by page.

import { withTexts } from "./events.js";
import { describeGap } from "./gaps.js";
import { MAX_ROWS } from "./table.js";

const FAILURES = {
  busy: "The server has reached its limit of viewers. Try again in a moment.",
  failed: "The past could not be read. Try again in a moment.",
};
const WAITING = "Others are being sent past events. You are in line …";

export class PastView {
  #past;
  #table;
  #on;
  #next = null; // the time of the last event that was shown, if there are more

  /** on: {say(text), changed(), live()}: live is called when the table is to show live events again. */
  constructor(past, table, on) {
    this.#past = past;
    this.#table = table;
    this.#on = on;
  }

  /** Whether the table shows a part of the past: live events would push it out. */
  isOpen = false;

  /** Whether there are more events after those that are shown. */
  get hasMore() {
    return this.#next !== null;
  }

  /** Put the events of a gap between the others. */
  showMissed({ from, to }) {
    let shown = 0;
    this.#past.open(from, to, {
      event: (text) => {
        shown += this.#table.insert([parse(text)].filter(Boolean));
        return shown < MAX_ROWS;
      },
      state: (state) => this.#on.say(state === "waiting" ? WAITING : "Reading what was missed …"),
      gap: (data) => this.#on.say(describeGap(data)),
      end: (reason) => {
        const more = reason === "full" ? " The table holds no more." : "";
        this.#on.say(FAILURES[reason] ?? `${count(shown)} that ${were(shown)} missed, in order of time.${more}`);
        this.#on.changed();
      },
    });
  }

  /** Show the events from a time on instead of the live ones, as many as the table holds. time: a Date. */
  showFrom(time) {
    let gap = "";
    this.isOpen = true;
    this.#next = null;
    this.#table.clear();
    this.#on.say(`Reading from ${time.toLocaleString()} …`);
    this.#on.changed();
    let last = time;
    this.#past.open(time.toISOString(), null, {
      event: (text) => {
        const event = parse(text);
        if (event && this.#table.size >= MAX_ROWS) {
          this.#next = last;
          return false;
        }
        if (event) {
          this.#table.addNewest([event]);
          last = dateOf(event) ?? last;
        }
        return true;
      },
      state: (state) => this.#on.say(state === "waiting" ? WAITING : `Reading from ${time.toLocaleString()} …`),
      gap: () => {
        gap = " Kafka no longer has everything from then on.";
      },
      end: (reason) => this.#end(reason, time, last, gap),
    });
  }

  /** Show what comes after the events that are shown. */
  showMore() {
    this.showFrom(this.#next);
  }

  /** Leave the past. */
  close() {
    this.#past.close();
    this.isOpen = false;
    this.#next = null;
    this.#on.changed();
  }

  #end(reason, time, last, gap) {
    const since = `since ${time.toLocaleString()}`;
    if (reason === "reached") {
      this.#on.say(`${count(this.#table.size)} ${since}.${gap} Live again.`);
      this.isOpen = false;
      this.#on.live();
    } else if (reason === "full") {
      const until = last.toLocaleTimeString();
      this.#on.say(`${count(this.#table.size)} ${since}, until ${until}.${gap} New events are not shown meanwhile.`);
    } else {
      this.#on.say(FAILURES[reason]);
    }
    this.#on.changed();
  }
}

function parse(text) {
  try {
    return withTexts(JSON.parse(text));
  } catch (error) {
    console.error("Skipped an event that is not JSON", error);
    return null;
  }
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
