// A page's document, read from HTML.

import { Element, Events, Text } from "./dom.js";

const VOID = new Set(["br", "col", "hr", "img", "input", "link", "meta"]);
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#34": '"', "#39": "'" };
const decode = (text) => text.replace(/&([#\w]+);/g, (entity, name) => ENTITIES[name] ?? entity);

/** Parse HTML as our templates write it: every element but the void ones is closed. */
export function parse(html) {
  const root = new Element("#root");
  let at = root;
  for (const [token, close, open, attributes] of html.matchAll(
    /<!--[^]*?-->|<!doctype[^>]*>|<\/([\w-]+)>|<([\w-]+)((?:[^>"]|"[^"]*")*)>|[^<]+/gi,
  )) {
    if (close) {
      at = at.parentNode;
    } else if (open) {
      const node = new Element(open);
      for (const [, name, value = ""] of attributes.matchAll(/([\w-]+)(?:="([^"]*)")?/g)) {
        node.setAttribute(name, decode(value));
      }
      at.append(node);
      at = VOID.has(open) ? at : node;
    } else if (!token.startsWith("<!")) {
      at.append(new Text(decode(token)));
    }
  }
  return root;
}

export class Document extends Events {
  hidden = false;
  scrolledTo = null;
  #root;

  constructor(html) {
    super();
    this.#root = parse(html);
    this.activeElement = this.body;
  }

  get documentElement() {
    return this.querySelector("html") ?? this.#root;
  }

  get body() {
    return this.querySelector("body") ?? this.#root;
  }

  createElement(tag) {
    return new Element(tag);
  }

  createElementNS(_namespace, tag) {
    return new Element(tag);
  }

  adoptNode(node) {
    node.remove();
    return node;
  }

  getElementById(id) {
    return this.querySelector(`[id=${id}]`);
  }

  querySelector(selector) {
    return this.#root.querySelector(selector);
  }

  querySelectorAll(selector) {
    return this.#root.querySelectorAll(selector);
  }

  closest() {
    return null;
  }
}
