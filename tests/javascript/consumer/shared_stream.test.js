import assert from "node:assert/strict";
import test from "node:test";
import { FakeBrowser } from "../fakes/browser.js";
import { openDashboard } from "../fakes/dashboard_tab.js";
import { FakeTopic } from "../fakes/topic.js";

/** Open a browser with this many tabs of the dashboard, and let them settle. */
async function open(count, options) {
  const topic = new FakeTopic();
  const browser = new FakeBrowser(topic);
  const tabs = Array.from({ length: count }, () => openDashboard(browser, options));
  await browser.settle();
  return { topic, browser, tabs };
}

/** Let seconds pass, each with all that happens in it. */
async function pass(browser, seconds) {
  for (let second = 0; second < seconds; second += 1) {
    browser.pass(1_000);
    await browser.settle();
  }
}

const shown = (tabs) => tabs.map((tab) => tab.shown);
const state = (tab) => tab.states.at(-1)[0];

test("eight tabs have one connection, and each shows every event once", async () => {
  const { topic, browser, tabs } = await open(8);
  assert.equal(browser.connections.length, 1);
  const ids = [topic.publish(0), topic.publish(1), topic.publish(0)].sort();
  await browser.settle();
  assert.deepEqual(
    tabs.map((tab) => tab.shown.toSorted()),
    tabs.map(() => ids),
  );
  assert.deepEqual([...new Set(tabs.map(state))], ["live"]);
  assert.deepEqual([...new Set(tabs.map((tab) => tab.stream.position))], [topic.text()]);
});

test("the next tab resumes where it is when the holder is closed", async () => {
  const { topic, browser, tabs } = await open(3);
  const holder = browser.locks.holder;
  const before = topic.publish();
  await browser.settle();
  holder.kill();
  const between = topic.publish();
  await browser.settle();
  const others = tabs.filter((tab) => tab !== holder);
  assert.deepEqual(shown(others), [
    [before, between],
    [before, between],
  ]);
  assert.equal(browser.connections.length, 1);
  assert.deepEqual(
    others.map((tab) => tab.repeats),
    [0, 0],
  );
});

test("a holder that freezes without a word is asked, and loses the lock when it does not answer", async () => {
  const { topic, browser, tabs } = await open(3);
  const frozen = browser.locks.holder;
  frozen.freeze();
  const id = topic.publish();
  await pass(browser, 10);
  const others = tabs.filter((tab) => tab !== frozen);
  assert.deepEqual(shown(others), [[id], [id]]);
  assert.notEqual(browser.locks.holder, frozen);
  frozen.thaw();
  await pass(browser, 2);
  assert.deepEqual([frozen.shown, browser.connections.length, state(frozen)], [[id], 1, "live"]);
});

test("a silent holder that answers keeps the lock", async () => {
  const { browser } = await open(3);
  const { holder } = browser.locks;
  const [source] = browser.connections;
  for (let seconds = 0; seconds < 60; seconds += 1) {
    await pass(browser, 1);
    if (seconds % 15 === 0) {
      browser.server.connections.forEach((connection) => browser.server.beat(connection));
    }
  }
  assert.equal(browser.locks.holder, holder);
  assert.deepEqual(browser.connections, [source]);
});

for (const [leave, come, place] of [
  ["freeze", "resume", (tab) => tab.document],
  ["pagehide", "pageshow", (tab) => tab],
]) {
  test(`at ${leave} a holder lets go at once, and at ${come} it joins the others again`, async () => {
    const { topic, browser, tabs } = await open(3);
    const gone = browser.locks.holder;
    place(gone).dispatch(leave);
    gone.freeze();
    await browser.settle();
    assert.notEqual(browser.locks.holder, gone);
    const id = topic.publish();
    await browser.settle();
    gone.thaw();
    place(gone).dispatch(come, { persisted: true });
    await browser.settle();
    assert.deepEqual(shown(tabs), [[id], [id], [id]]);
    assert.equal(browser.connections.length, 1);
  });
}

test("an ordinary load is no second beginning", async () => {
  const { browser, tabs } = await open(1);
  tabs[0].dispatch("pageshow", { persisted: false });
  await browser.settle();
  assert.equal(browser.sources.length, 1);
});

test("a tab that was rendered long before it joins is sent what lies between", async () => {
  const { topic, browser } = await open(2);
  const position = topic.text();
  const ids = [topic.publish(), topic.publish()];
  await browser.settle();
  const late = openDashboard(browser, { position });
  await browser.settle();
  assert.deepEqual([late.shown, browser.connections.length], [ids, 1]);
});

test("a tab that joins while the holder's flush is on its way misses nothing and shows nothing twice", async () => {
  const { topic, browser, tabs } = await open(1);
  const first = topic.publish();
  topic.flush(topic.connections[0]);
  const second = topic.publish();
  const late = openDashboard(browser, { position: topic.text([0, 0]) });
  await browser.settle();
  assert.deepEqual(shown([...tabs, late]), [
    [first, second],
    [first, second],
  ]);
  assert.equal(browser.connections.length, 1);
});

test("a page without a position begins with its own connection, and then shares", async () => {
  const { browser, topic } = await open(2);
  const tab = openDashboard(browser, { position: "" });
  await browser.settle();
  assert.deepEqual([tab.begins, browser.connections.length], [[topic.text()], 1]);
});

test("every tab says what the connection of the holder is", async () => {
  const { browser, topic, tabs } = await open(3);
  const serve = topic.serve.bind(topic);
  const answer = { state: "stale", replay: "reading" };
  topic.serve = (connection, from) => connection.send("status", answer, from);
  browser.connections[0].cut(false);
  await browser.settle(false);
  const [lost, after] = tabs.map((tab) => tab.states.slice(-2)).toSorted()[0];
  assert.deepEqual(lost, ["reconnecting", {}]);
  assert.deepEqual(after, ["stale", answer]);
  topic.serve = (connection) => connection.send("busy", { reason: "streams" }, "");
  browser.connections[0].cut(false);
  await browser.settle(false);
  assert.deepEqual(tabs.map(state), ["busy", "busy", "busy"]);
  topic.serve = serve;
  browser.connections[0].cut(false);
  await browser.settle();
  assert.deepEqual(tabs.map(state), ["live", "live", "live"]);
});

test("a gap is told in every tab", async () => {
  const { browser, topic, tabs } = await open(3);
  topic.publish();
  await browser.settle();
  topic.recreate();
  const id = topic.publish();
  await browser.settle();
  assert.deepEqual(
    tabs.map((tab) => [tab.gaps.length, tab.gaps[0].reason, tab.shown.at(-1), tab.stream.position]),
    tabs.map(() => [1, "recreated", id, topic.text()]),
  );
});

test("a tab of before the topic was created anew is told so by the server, and only then joins", async () => {
  const { browser, topic } = await open(2);
  const position = topic.text([9, 9]);
  topic.recreate();
  await browser.settle();
  const late = openDashboard(browser, { position });
  await browser.settle();
  assert.deepEqual([late.gaps.length, late.stream.position, browser.connections.length], [1, topic.text(), 1]);
});

test("a tab that the server is about to tell of a gap does not join before that", async () => {
  const { browser, topic } = await open(2);
  const serve = topic.serve.bind(topic);
  let served;
  topic.serve = (connection) => {
    served = connection;
  };
  const late = openDashboard(browser);
  await browser.settle(); // the holder is heard first
  topic.serve = serve;
  served.send("status", { state: "live", gap: true }, topic.text());
  served.send("gap", { reason: "recreated", to: topic.text() }, topic.text()); // the log was cut back
  await browser.settle();
  assert.deepEqual([late.gaps.length, browser.connections.length], [1, 1]);
});

test("a tab that has missed a message asks the server for what is missing", async () => {
  const { browser, topic, tabs } = await open(2);
  const follower = tabs.find((tab) => tab !== browser.locks.holder);
  const { channels } = follower;
  follower.channels = [];
  const ids = [topic.publish()];
  await browser.settle();
  follower.channels = channels;
  ids.push(topic.publish());
  await browser.settle();
  assert.deepEqual([follower.shown, follower.repeats, browser.connections.length], [ids, 0, 1]);
});

test("a tab that is sent old events waits for the lock when it has them", async () => {
  const topic = new FakeTopic();
  const browser = new FakeBrowser(topic);
  topic.serve = (connection, from) => {
    topic.connections.push(connection);
    connection.offsets = topic.end;
    connection.send("status", { state: "live", replay: "reading" }, from);
  };
  const tab = openDashboard(browser);
  await browser.settle();
  assert.deepEqual([browser.locks.holder, tab.states], [null, [["live", { state: "live", replay: "reading" }]]]);
  topic.beat(topic.connections[0]);
  await browser.settle();
  assert.equal(browser.locks.holder, tab);
});

test("a tab whose own connection works takes the lock from one that cannot connect", async () => {
  const { browser, topic } = await open(1);
  const lame = browser.locks.holder;
  const { EventSource } = lame;
  lame.EventSource = class extends EventSource {
    connect() {}
  };
  browser.connections[0].cut(true);
  await browser.settle();
  topic.publish();
  const able = openDashboard(browser);
  await pass(browser, 12);
  assert.deepEqual([browser.locks.holder, browser.connections.length], [able, 1]);
  const id = topic.publish();
  lame.EventSource = EventSource;
  await pass(browser, 30);
  assert.deepEqual([able.shown, lame.shown.at(-1), browser.connections.length], [[id], id, 1]);
});

for (const [what, options] of [
  ["locks", { hasLocks: false }],
  ["channels", { hasChannels: false }],
]) {
  test(`without ${what} each tab has a connection of its own`, async () => {
    const { browser, topic, tabs } = await open(2, options);
    const id = topic.publish();
    await browser.settle();
    assert.deepEqual(shown(tabs), [[id], [id]]);
    assert.equal(browser.connections.length, 2);
    tabs[0].dispatch("pagehide");
    assert.equal(browser.connections.length, 1);
    tabs[0].dispatch("pageshow", { persisted: true });
    await browser.settle();
    assert.equal(browser.connections.length, 2);
  });
}

test("a tab whose browser refuses the lock stays on its own", async () => {
  const topic = new FakeTopic();
  const browser = new FakeBrowser(topic);
  const tab = browser.open();
  tab.navigator = { locks: { request: () => Promise.reject(new DOMException("no", "SecurityError")) } };
  browser.open = () => tab;
  browser.tabs = [tab];
  openDashboard(browser);
  await browser.settle();
  const id = topic.publish();
  await pass(browser, 20);
  assert.deepEqual([tab.shown, browser.connections.length, tab.channels.length], [[id], 1, 0]);
});

test("what is no message of a holder is ignored", async () => {
  const { browser, tabs, topic } = await open(2);
  const place = { before: topic.text(), position: topic.text() };
  const whole = { holder: "z", since: 1e15, log: "a", number: 0, ...place, blocks: [], state: "live", data: {} };
  const hostile = browser.open();
  const channel = new hostile.BroadcastChannel(tabs[0].channels[0].name);
  const broken = [null, 1, "text", {}, { ...whole, position: "1" }, { ...whole, blocks: [["status", "{}"]] }];
  broken.forEach((message) => channel.postMessage(message, undefined));
  await browser.settle();
  const id = topic.publish();
  await browser.settle();
  assert.deepEqual(shown(tabs), [[id], [id]]);
});

const asking = (browser) => browser.server.connections.map(({ wantsStats }) => wantsStats);
const lastStats = (tabs) => tabs.map((tab) => tab.stats.at(-1));

test("figures come over the one connection to the tabs that show them, and to no others", async () => {
  const { topic, browser, tabs } = await open(2);
  const { holder } = browser.locks;
  topic.tell("before");
  const figures = [1, 2].map(() => openDashboard(browser, { withStats: true }));
  await browser.settle();
  assert.deepEqual([browser.connections.length, asking(browser)], [1, [true]]);
  assert.equal(browser.locks.holder, holder);
  assert.deepEqual(lastStats(figures), ["before", "before"]);
  topic.tell("after");
  const id = topic.publish();
  await browser.settle();
  assert.deepEqual(lastStats(figures), ["after", "after"]);
  assert.deepEqual(shown([...tabs, ...figures]), [[id], [id], [id], [id]]);
  assert.deepEqual(lastStats(tabs), [undefined, undefined]);
});

test("a tab that shows figures and comes late has the newest at once", async () => {
  const { topic, browser } = await open(1, { withStats: true });
  topic.tell("newest");
  await browser.settle();
  const late = openDashboard(browser, { withStats: true });
  await browser.settle();
  assert.deepEqual([lastStats([late]), browser.connections.length], [["newest"], 1]);
});

test("while no tab shows figures nobody asks for them", async () => {
  const { browser } = await open(3);
  await pass(browser, 30);
  assert.deepEqual(asking(browser), [false]);
});

test("figures are asked for no longer, and without a gap, some time after the last tab with figures is closed", async () => {
  const { topic, browser, tabs } = await open(2);
  const figures = openDashboard(browser, { withStats: true });
  await browser.settle();
  assert.deepEqual(asking(browser), [true]);
  await pass(browser, 140); // it tells that it is still there
  figures.kill();
  await pass(browser, 40);
  assert.deepEqual(asking(browser), [true]); // it may be loaded again
  const ids = [topic.publish(), topic.publish()];
  await pass(browser, 40);
  assert.deepEqual(asking(browser), [false]);
  ids.push(topic.publish());
  await browser.settle();
  assert.deepEqual(shown(tabs), [ids, ids]);
});

test("the next holder asks for figures, too, and so does one that shows some itself", async () => {
  const { topic, browser, tabs } = await open(2);
  const figures = openDashboard(browser, { withStats: true });
  await browser.settle();
  for (const gone of tabs) {
    gone.kill();
    topic.tell(`after ${tabs.indexOf(gone)}`);
    await pass(browser, 5);
    assert.deepEqual([asking(browser), lastStats([figures])], [[true], [`after ${tabs.indexOf(gone)}`]]);
  }
  assert.equal(browser.locks.holder, figures);
});

test("without channels a tab that shows figures asks for its own", async () => {
  const topic = new FakeTopic();
  const browser = new FakeBrowser(topic);
  const tabs = [true, false].map((withStats) => openDashboard(browser, { withStats, hasChannels: false }));
  topic.tell("figures");
  await browser.settle();
  assert.deepEqual(asking(browser).toSorted(), [false, true]);
  assert.deepEqual(lastStats(tabs), ["figures", undefined]);
});

async function hide(browser, tab, isHidden) {
  tab.document.hidden = isHidden;
  tab.document.dispatch("visibilitychange");
  await browser.settle();
}

test("figures come no longer when every tab that shows them is hidden, and again when one is seen", async () => {
  const { topic, browser } = await open(1);
  const figures = [1, 2].map(() => openDashboard(browser, { withStats: true }));
  topic.tell("before");
  await browser.settle();
  await hide(browser, figures[0], true);
  await pass(browser, 80);
  assert.deepEqual(asking(browser), [true]);
  await hide(browser, figures[1], true);
  await pass(browser, 80);
  assert.deepEqual([browser.connections.length, asking(browser)], [1, [false]]);
  topic.tell("after");
  await browser.settle();
  assert.deepEqual(lastStats(figures), ["before", "before"]);
  await hide(browser, figures[0], false);
  assert.deepEqual([browser.connections.length, asking(browser)], [1, [true]]);
  assert.equal(figures[0].stats.at(-1), "after");
});
