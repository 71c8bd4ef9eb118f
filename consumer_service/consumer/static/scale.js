// The scale of an axis: from a round number to a round number, with round steps between.

const STEPS = 4;

/**
 * Return {low, high, ticks} for values; 0 is always on it. isWhole: there is nothing between two whole numbers.
 */
export function scaleOf(values, { isWhole = false } = {}) {
  const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
  const step = roundStep((most - least) / STEPS || 1 / STEPS, isWhole);
  const low = Math.floor(least / step) * step;
  const high = Math.max(Math.ceil(most / step), low / step + 1) * step;
  const count = Math.round((high - low) / step);
  return { low, high, ticks: Array.from({ length: count + 1 }, (_, index) => low + index * step) };
}

/** Return where a value is on the scale, from the top, in percent. */
export function percentFromTop(value, { low, high }) {
  return (100 * (high - value)) / (high - low);
}

/** Return the least of 1, 2 or 5 times a power of ten that is no smaller. */
function roundStep(least, isWhole) {
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= least * (1 - 1e-9));
  return isWhole ? Math.max(1, step) : step;
}
