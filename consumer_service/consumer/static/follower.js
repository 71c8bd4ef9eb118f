// A tab without the connection: which of the holder's messages it may show, so that it neither misses anything nor has
// to be sent anything again.
//
// In step, it shows each message as it comes: it has everything before it. Out of step, it has a connection of its own
// for a while, and keeps the latest messages; as soon as its own position covers the place where one of them begins,
// that one and those behind it are all that it lacks, and it is in step.

import { covers } from "./position.js";

const MAX_WAITING = 500;

export class Follower {
  isInStep = false;
  latest = null; // the holder's latest message
  #begin = null; // where our own connection had resumed when we got in step
  #waiting = []; // consecutive messages of the holder, kept while we are out of step

  /** Forget who holds the connection, and fall out of step. */
  reset() {
    this.isInStep = false;
    this.latest = null;
    this.#waiting = [];
  }

  /** Return whether a message is of the tab that holds the connection: an earlier holder may still talk. */
  isCurrent(message) {
    const latest = this.latest ?? message;
    return message.since > latest.since || (message.since === latest.since && message.holder >= latest.holder);
  }

  /** Take a message of the holder; return those to be shown now. position: what this tab has reached. */
  take(message, position) {
    const last = this.latest;
    this.latest = message;
    if (message.holder !== last?.holder || message.since !== last.since) {
      // A new holder resumes at its own position. If we are as far, in the same log, that brings all that we lack.
      this.isInStep &&= message.number === 0 && message.log === last.log && this.#isBetween(message.position, position);
      this.#waiting = this.isInStep ? [] : [message];
      return [];
    }
    if (message.number === last.number) {
      return []; // an answer
    }
    if (message.number !== last.number + 1) {
      this.isInStep = false;
      this.#waiting = [];
    }
    if (this.isInStep) {
      return [message];
    }
    this.#waiting.push(message);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
    }
    return [];
  }

  /**
   * Get in step if a position allows it, and return the messages to be shown then. confirmed: where our own connection
   * resumed. Nothing from before that place is taken from the holder: it was shown already, or the holder is in a log
   * that was cut back, where our offsets stand for other events, and our own connection is about to tell.
   */
  join(position, confirmed) {
    if (this.isInStep) {
      return [];
    }
    this.#begin = confirmed;
    const places = [
      ...this.#waiting.map(({ before }) => before),
      ...this.#waiting.slice(-1).map((each) => each.position),
    ];
    const first = places.findLastIndex((place) => this.#isBetween(place, position));
    if (first < 0) {
      return [];
    }
    const messages = this.#waiting.slice(first);
    this.#waiting = [];
    this.isInStep = true;
    return messages;
  }

  /** Return whether the holder may begin at a place: not before our own connection did, not after what we have reached. */
  #isBetween(place, position) {
    return covers(place, this.#begin) && covers(position, place);
  }
}
