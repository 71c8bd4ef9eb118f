// The numbers above the table: how many, how fast, how late. All of them over bounded windows.

const RATE_SECONDS = 5;
const LATENCY_MS = 60_000;
const SAMPLES = 3000;

export class Figures {
  count = 0;
  #perSecond = new Map();
  #samples = [];

  received(many, now) {
    this.count += many;
    const second = Math.floor(now / 1000);
    this.#perSecond.set(second, (this.#perSecond.get(second) ?? 0) + many);
    for (const old of this.#perSecond.keys()) {
      if (old < second - RATE_SECONDS - 1) {
        this.#perSecond.delete(old);
      }
    }
  }

  // Of whole seconds only: the running one would always look slow.
  rate(now) {
    const second = Math.floor(now / 1000);
    let sum = 0;
    for (let back = 1; back <= RATE_SECONDS; back += 1) {
      sum += this.#perSecond.get(second - back) ?? 0;
    }
    return sum / RATE_SECONDS;
  }

  shown(latencyMs, now) {
    this.#samples.push([now, latencyMs]);
    if (this.#samples.length > SAMPLES) {
      this.#samples.splice(0, this.#samples.length - SAMPLES);
    }
  }

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

export function inWords(milliseconds) {
  if (milliseconds < 1000) {
    return `${Math.max(0, Math.round(milliseconds))} ms`;
  }
  if (milliseconds < 60_000) {
    return `${(milliseconds / 1000).toFixed(1)} s`;
  }
  return `${Math.round(milliseconds / 60_000)} min`;
}
