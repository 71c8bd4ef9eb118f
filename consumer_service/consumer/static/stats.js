// The figures that the projector publishes (contracts/order-stats.schema.json), read tolerantly: whoever may write to the
// topic chooses what is in them, so what is no number is none, and what is no text is left out.

const MONEY = /^-?\d{1,22}\.\d{2}$/;
const MAX_MINUTES = 60;
const MAX_ROWS = 20;

/**
 * Return the figures of a message, or null if it is none. Counts are numbers and amounts texts, null where there is none;
 * times are milliseconds.
 */
export function readStats(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch (error) {
    console.error("Skipped figures that are not JSON", error);
    return null;
  }
  const time = moment(found?.time);
  if (time === null) {
    return null;
  }
  return {
    time,
    orders: count(found.orders),
    events: count(found.events),
    revenue: amount(found.revenue),
    statuses: statuses(found.by_status),
    minutes: objects(found.minutes, MAX_MINUTES)
      .map((each) => ({
        at: moment(each.minute),
        events: count(each.events),
        orders: placed(each),
        revenue: amount(each.revenue),
      }))
      .filter(({ at }) => at !== null),
    items: objects(found.items, MAX_ROWS)
      .filter(({ item }) => typeof item === "string")
      .map(({ item, orders, quantity, revenue }) => ({
        name: item,
        orders: count(orders),
        quantity: count(quantity),
        revenue: amount(revenue),
      })),
  };
}

/** Return how many orders were placed in a minute. A status that none came to is left out: that is 0. */
function placed({ by_status: numbers }) {
  return numbers && typeof numbers === "object" ? count(numbers.placed ?? 0) : null;
}

function statuses(numbers) {
  const pairs = Object.entries(numbers && typeof numbers === "object" ? numbers : {});
  return pairs.slice(0, MAX_ROWS).map(([name, number]) => ({ name, orders: count(number) }));
}

function objects(values, most) {
  const list = Array.isArray(values) ? values : [];
  return list.filter((each) => typeof each === "object" && each !== null).slice(-most);
}

function count(value) {
  return Number.isFinite(value) ? value : null;
}

function amount(value) {
  return typeof value === "string" && MONEY.test(value) ? value : null;
}

function moment(value) {
  const milliseconds = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(milliseconds) ? null : milliseconds;
}
