// Numbers and times for people, as their own browser writes them; a dash for what is not known.

export const UNKNOWN = "–";

const money = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 3 });
const minute = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const second = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", second: "2-digit" });

export function formatCount(value) {
  return value === null ? UNKNOWN : value.toLocaleString();
}

/** Format an amount, which is a text such as "1234.50": as a number it would lose cents. */
export function formatMoney(text) {
  return text === null ? UNKNOWN : money.format(text);
}

/** Format a number for an axis: "1.2K". */
export function formatShort(value) {
  return short.format(value);
}

export function formatMinute(milliseconds) {
  return minute.format(milliseconds);
}

export function formatSecond(milliseconds) {
  return second.format(milliseconds);
}

/** Format how old something is: "40 s", "3 min", "2 h", "4 d". */
export function formatAge(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) {
    return `${seconds} s`;
  }
  if (seconds < 7_200) {
    return `${Math.floor(seconds / 60)} min`;
  }
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
