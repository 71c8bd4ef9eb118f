// The numbers above the table: events, events per second, latency. Their windows are bounded.

const RATE_SECONDS = 5;
const LATENCY_MS = 60_000;
const MAX_SAMPLES = 3000;

export class Figures {
  count = 0;
  #perSecond = new Map();
  #samples = [];

  /** Count an event. now: milliseconds. */
  addEvent(now) {
    this.count += 1;
    const second = Math.floor(now / 1000);
    this.#perSecond.set(second, (this.#perSecond.get(second) ?? 0) + 1);
    for (const old of this.#perSecond.keys()) {
      if (old < second - RATE_SECONDS - 1) {
        this.#perSecond.delete(old);
      }
    }
  }

  /** Return events per second. It counts whole seconds only, as the running one would always look slow. */
  rate(now) {
    const second = Math.floor(now / 1000);
    let sum = 0;
    for (let back = 1; back <= RATE_SECONDS; back += 1) {
      sum += this.#perSecond.get(second - back) ?? 0;
    }
    return sum / RATE_SECONDS;
  }

  /** Add the latency of an event: milliseconds from placed to shown. */
  addLatency(latencyMs, now) {
    this.#samples.push([now, latencyMs]);
    if (this.#samples.length > MAX_SAMPLES) {
      this.#samples.splice(0, this.#samples.length - MAX_SAMPLES);
    }
  }

  /** Return the percentiles of the latency in milliseconds, or null without events. */
  latency(now) {
    this.#samples = this.#samples.filter(([at]) => now - at <= LATENCY_MS);
    if (!this.#samples.length) {
      return null;
    }
    const sorted = this.#samples.map(([, ms]) => ms).sort((a, b) => a - b);
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    return { p50: at(0.5), p95: at(0.95) };
  }
}

/** Format a duration with its unit: "12 ms", "1.5 s", "3 min". */
export function formatDuration(milliseconds) {
  if (milliseconds < 1000) {
    return `${Math.max(0, Math.round(milliseconds))} ms`;
  }
  if (milliseconds < 60_000) {
    return `${(milliseconds / 1000).toFixed(1)} s`;
  }
  return `${Math.round(milliseconds / 60_000)} min`;
}
