// Tabs at random: opened, closed, frozen and thawed, with connections that are cut, in any order that a browser allows.

import assert from "node:assert/strict";
import process from "node:process";
import test from "node:test";
import { FakeBrowser, run } from "../fakes/browser.js";
import { openDashboard } from "../fakes/dashboard_tab.js";
import { FakeTopic } from "../fakes/topic.js";

const SEEDS = Number(process.env.SEEDS ?? 150);
const STEPS = 200;
const MAX_TABS = 9;

/** Return a function like Math.random that repeats itself for the same seed (mulberry32). */
function randomFrom(seed) {
  let state = seed * 2_654_435_761;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Trial {
  topic = new FakeTopic();
  browser = new FakeBrowser(this.topic);

  constructor(seed) {
    this.random = randomFrom(seed);
    Math.random = this.random;
    this.actions = [
      [6, () => this.topic.publish(this.below(2))],
      [8, () => this.with(this.topic.connections, (each) => this.topic.flush(each, 1 + this.below(3)))],
      [1, () => this.with(this.topic.connections, (each) => this.topic.beat(each))],
      [30, () => this.with(this.queues, run)],
      [3, () => this.browser.connect()],
      [2, () => this.browser.pass(1_000)],
      [1, () => this.alive.length < MAX_TABS && openDashboard(this.browser, { withStats: this.random() < 0.3 })],
      [1, () => this.topic.tell(`figures ${this.below(1000)}`)],
      [0.5, () => this.alive.length > 1 && this.with(this.alive, (tab) => tab.kill())],
      [0.7, () => this.with(this.alive, (tab) => this.freeze(tab))],
      [1, () => this.with(this.frozen, (tab) => this.thaw(tab))],
      [0.5, () => this.with(this.browser.connections, (source) => source.cut(this.random() < 0.3))],
      [0.1, () => this.topic.recreate()],
      [0.2, () => this.browser.connections.forEach((source) => source.cut(false))],
    ];
    this.weight = this.actions.reduce((sum, [weight]) => sum + weight, 0);
  }

  get alive() {
    return this.browser.tabs.filter((tab) => !tab.isDead);
  }

  get frozen() {
    return this.alive.filter((tab) => tab.isFrozen);
  }

  get queues() {
    return this.alive.flatMap((tab) => tab.ready);
  }

  below(limit) {
    return Math.floor(this.random() * limit);
  }

  with(things, call) {
    return things.length ? call(things[this.below(things.length)]) : undefined;
  }

  /** Freeze a tab: with a word to the page before, or as SIGSTOP does. */
  freeze(tab) {
    if (!tab.isFrozen) {
      tab.isTold = this.random() < 0.5;
      if (tab.isTold) {
        tab.document.dispatch("freeze");
      }
      tab.freeze();
    }
  }

  thaw(tab) {
    tab.thaw();
    if (tab.isTold) {
      tab.document.dispatch("resume");
    }
  }

  async step() {
    let chance = this.random() * this.weight;
    const [, action] = this.actions.find(([weight]) => {
      chance -= weight;
      return chance < 0;
    });
    await action();
  }

  /** Thaw all tabs and let everything come to an end. */
  async end() {
    this.frozen.forEach((tab) => this.thaw(tab));
    for (let seconds = 0; seconds < 60; seconds += 1) {
      this.browser.pass(1_000);
      await this.browser.settle();
      if (seconds % 15 === 0) {
        this.topic.connections.forEach((each) => this.topic.beat(each));
      }
    }
  }

  /** Assert that figures reach each tab that shows them, over the one connection, and no other. */
  async checkStats() {
    this.topic.tell("the last figures");
    await this.browser.settle();
    for (const tab of this.alive) {
      assert.equal(tab.stats.at(-1), tab.withStats ? "the last figures" : undefined);
    }
  }

  /** Assert that a tab has shown all events since it was rendered, or since it was told of a gap. */
  check(tab) {
    const gap = tab.gaps.findLast(({ to }) => to.startsWith(this.topic.id));
    const from = gap ? gap.to : tab.rendered;
    const shown = tab.shown.slice(gap?.shown ?? 0);
    assert.ok(from.startsWith(this.topic.id), "it was not told that the topic is another one");
    const starts = from
      .split(";")[1]
      .split(",")
      .map((pair) => Number(pair.split(":")[1]));
    for (const [partition, log] of this.topic.logs.entries()) {
      const due = log.slice(starts[partition]).map(({ id }) => id);
      const ids = new Set(log.map(({ id }) => id));
      assert.deepEqual(
        shown.filter((id) => ids.has(id)),
        due,
      );
    }
  }
}

test("every tab shows every event once and in order, and there is one connection in the end", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const trial = new Trial(seed);
    openDashboard(trial.browser);
    try {
      for (let step = 0; step < STEPS; step += 1) {
        await trial.step();
      }
      await trial.end();
      trial.alive.forEach((tab) => trial.check(tab));
      await trial.checkStats();
      assert.equal(trial.browser.connections.length, 1);
      assert.equal(trial.browser.sources.length, 1);
      assert.deepEqual([...new Set(trial.alive.map((tab) => tab.states.at(-1)[0]))], ["live"]);
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
});
