// A tab with the dashboard's stream, and what it has shown.

import { Deduplicator } from "../../../consumer_service/consumer/static/deduplicator.js";
import { SharedStream } from "../../../consumer_service/consumer/static/shared_stream.js";

/** Open a tab; position: what its page was rendered with. withStats: whether it shows figures. */
export function openDashboard(browser, { position = browser.server.text(), withStats = false, ...options } = {}) {
  const tab = browser.open(options);
  const deduplicator = new Deduplicator();
  Object.assign(tab, {
    withStats,
    rendered: position,
    shown: [],
    repeats: 0,
    gaps: [],
    states: [],
    begins: [],
    stats: [],
  });
  tab.stream = new SharedStream(
    "/stream",
    position,
    {
      event(text) {
        const event = JSON.parse(text);
        if (deduplicator.isDuplicate(event)) {
          tab.repeats += 1;
        } else {
          tab.shown.push(event.id);
        }
      },
      gap(data) {
        deduplicator.forget();
        tab.gaps.push({ ...data, shown: tab.shown.length });
      },
      state: (name, data) => tab.states.push([name, data]),
      begin: (at) => tab.begins.push(at),
      ...(withStats ? { stats: (text) => tab.stats.push(text) } : {}),
    },
    tab,
  );
  tab.stream.start();
  return tab;
}
