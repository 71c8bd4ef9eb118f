// How the figures went in the last five minutes: events per second, and the latency, in bins of five seconds.

export const BIN_MS = 5_000;
export const BINS = 60;
const MAX_SAMPLES = 200; // of one bin; it has the median of these

export class Trends {
  #bins = new Map();

  /** Count an event. now: milliseconds. */
  addEvent(now) {
    this.#bin(now).events += 1;
  }

  /** Add the latency of an event in milliseconds. */
  addLatency(latencyMs, now) {
    const { latencies } = this.#bin(now);
    if (latencies.length < MAX_SAMPLES) {
      latencies.push(latencyMs);
    }
  }

  /** Return events per second of each bin that is over, oldest first. */
  rates(now) {
    return this.#each(now, (bin) => (bin?.events ?? 0) / (BIN_MS / 1000));
  }

  /** Return the median latency of each bin that is over, oldest first; null without events. */
  latencies(now) {
    return this.#each(now, (bin) => median(bin?.latencies ?? []));
  }

  #bin(now) {
    const number = Math.floor(now / BIN_MS);
    let bin = this.#bins.get(number);
    if (!bin) {
      bin = { events: 0, latencies: [] };
      this.#bins.set(number, bin);
      for (const old of this.#bins.keys()) {
        if (old < number - BINS) {
          this.#bins.delete(old);
        }
      }
    }
    return bin;
  }

  #each(now, of) {
    const current = Math.floor(now / BIN_MS);
    return Array.from({ length: BINS }, (_, index) => of(this.#bins.get(current - BINS + index)));
  }
}

function median(values) {
  if (!values.length) {
    return null;
  }
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Say in a sentence how events per second went. */
export function describeRates(rates) {
  const highest = Math.max(...rates);
  if (!highest) {
    return "No events in the last five minutes.";
  }
  return `Events per second in the last five minutes: at most ${round(highest)}, lately ${round(rates.at(-1))}.`;
}

/** Say in a sentence how the latency went. format(milliseconds): a duration with its unit. */
export function describeLatencies(latencies, format) {
  const known = latencies.filter((each) => each !== null);
  if (!known.length) {
    return "No order was placed in the last five minutes.";
  }
  const [least, most] = [Math.min(...known), Math.max(...known)].map(format);
  return `From placed to shown in the last five minutes: between ${least} and ${most}, lately ${format(known.at(-1))}.`;
}

function round(perSecond) {
  return perSecond >= 10 || Number.isInteger(perSecond) ? Math.round(perSecond) : perSecond.toFixed(1);
}
