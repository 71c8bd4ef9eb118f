// Times relative to now, and exact when pointed at.

import { element, setText } from "./element.js";

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];
const EXACT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

/** Describe how long ago a moment was. moment, now: milliseconds or Date. */
export function ago(moment, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  return seconds < 3 ? "just now" : `${Math.floor(seconds / length)} ${unit} ago`;
}

/** Create a time element from an ISO timestamp. */
export function timeElement(text) {
  const moment = new Date(text);
  return element("time", { dateTime: text, title: EXACT.format(moment) }, ago(moment));
}

/** Refresh the relative times within `parent` every second while the page is visible. */
export function refreshTimesEverySecond(parent) {
  setInterval(() => {
    if (!document.hidden) {
      parent.querySelectorAll("time").forEach((time) => setText(time, ago(new Date(time.dateTime))));
    }
  }, 1000);
}
