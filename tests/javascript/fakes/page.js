// A page that our own templates rendered, with a clock, a server and event sources that a test is in charge of.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { FakeClock, settle } from "./clock.js";
import { Document } from "./document.js";
import { FakeEventSource, FakeServer } from "./network.js";

/** test_javascript.py renders the pages into this folder. */
const PAGES = process.env.PAGES;
let imports = 0;

export class Page {
  clock = new FakeClock();
  server = new FakeServer();
  clipboard = [];
  hasClipboard = true;
  canHover = true;
  #listeners = [];

  /** Open a page by its name, such as "dashboard"; html: instead of that. change: what to replace in it. */
  constructor(name, { html, change = (text) => text } = {}) {
    this.document = new Document(change(html ?? readFileSync(join(PAGES, `${name}.html`), "utf8")));
    this.clock.install();
    this.server.install();
    FakeEventSource.install();
    Object.assign(globalThis, {
      document: this.document,
      window: globalThis,
      location: { href: "http://localhost/" },
      FormData: FakeFormData,
      DOMParser: FakeParser,
      addEventListener: (type, call) => this.#listeners.push([type, call]),
      matchMedia: () => ({ matches: this.canHover, addEventListener() {} }),
      getSelection: () => ({ isCollapsed: true }),
    });
    Object.defineProperty(globalThis, "navigator", {
      configurable: true,
      value: { clipboard: { writeText: (text) => this.#copy(text) } },
    });
  }

  get source() {
    return FakeEventSource.last;
  }

  get sources() {
    return FakeEventSource.all;
  }

  $(id) {
    return this.document.getElementById(id);
  }

  text(id) {
    return this.$(id).textContent;
  }

  /** Import a script anew, for this page, and let it do what it does at once. */
  async run(url) {
    imports += 1;
    const module = await import(`${url}?${imports}`);
    await settle();
    return module;
  }

  /** Press a button, and let what follows happen. */
  async click(node) {
    node.click();
    await settle();
  }

  /** Dispatch an event on the window. */
  async dispatch(type, fields = {}) {
    this.#listeners.filter(([each]) => each === type).forEach(([, call]) => call({ type, ...fields }));
    await settle();
  }

  /** Hide or show the page, as a change of tabs does. */
  async hide(isHidden) {
    this.document.hidden = isHidden;
    this.document.dispatch("visibilitychange");
    await settle();
  }

  async #copy(text) {
    if (!this.hasClipboard) {
      throw new Error("not allowed");
    }
    this.clipboard.push(text);
  }
}

class FakeFormData {
  #form;

  constructor(form) {
    this.#form = form;
  }

  *[Symbol.iterator]() {
    for (const input of this.#form.elements.all) {
      yield [input.name, input.value];
    }
  }
}

class FakeParser {
  parseFromString(html) {
    return new Document(html);
  }
}
