// Times as people say them, exact when pointed at.

import { element } from "./element.js";

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];
const exact = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

export function ago(moment, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  return seconds < 3 ? "just now" : `${Math.floor(seconds / length)} ${unit} ago`;
}

export function timeElement(text) {
  const moment = new Date(text);
  return element("time", { dateTime: text, title: exact.format(moment) }, ago(moment));
}

/** Once a second while somebody looks. */
export function keepTimesFresh(parent) {
  setInterval(() => {
    if (!document.hidden) {
      parent.querySelectorAll("time").forEach((time) => update(time, ago(new Date(time.dateTime))));
    }
  }, 1000);
}

function update(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
