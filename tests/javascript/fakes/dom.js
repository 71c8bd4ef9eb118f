// Elements: as much of a browser's as the pages' scripts use.

const dataName = (name) => `data-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

export class Text {
  parentNode = null;

  constructor(data) {
    this.data = data;
  }

  get textContent() {
    return this.data;
  }

  get outerHTML() {
    return this.data.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  }

  cloneNode() {
    return new Text(this.data);
  }
}

export class Events {
  #listeners = [];

  addEventListener(type, call) {
    this.#listeners.push([type, call]);
  }

  /** Dispatch an event here and on all parents; return it. */
  dispatch(type, fields = {}) {
    const event = { type, target: this, isDefaultPrevented: false, ...fields };
    event.preventDefault = () => (event.isDefaultPrevented = true);
    for (let at = this; at; at = at.parentNode) {
      event.currentTarget = at;
      at.call(event);
    }
    return event;
  }

  call(event) {
    this.#listeners.filter(([type]) => type === event.type).forEach(([, call]) => call(event));
  }
}

export class Element extends Events {
  parentNode = null;
  childNodes = [];
  attributes = new Map();
  isHovered = false;
  offsetWidth = 0;
  #value = null;

  constructor(tag) {
    super();
    this.tagName = tag.toLowerCase();
    this.dataset = new Proxy(this, {
      get: (_, name) => this.getAttribute(dataName(name)) ?? undefined,
      set: (_, name, value) => this.setAttribute(dataName(name), value) ?? true,
      deleteProperty: (_, name) => this.removeAttribute(dataName(name)) ?? true,
      has: (_, name) => this.hasAttribute(dataName(name)),
    });
    this.classList = {
      contains: (name) => this.#classes.includes(name),
      add: (name) => this.classList.toggle(name, true),
      remove: (name) => this.classList.toggle(name, false),
      toggle: (name, isOn) => {
        const others = this.#classes.filter((each) => each !== name);
        this.className = [...others, ...(isOn ? [name] : [])].join(" ");
      },
    };
  }

  get #classes() {
    return this.className.split(" ").filter(Boolean);
  }

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  hasAttribute(name) {
    return this.attributes.has(name);
  }

  setAttribute(name, value) {
    this.attributes.set(name, String(value));
  }

  removeAttribute(name) {
    this.attributes.delete(name);
  }

  toggleAttribute(name, isOn) {
    if (isOn) {
      this.setAttribute(name, "");
    } else {
      this.removeAttribute(name);
    }
  }

  get value() {
    return this.#value ?? this.getAttribute("value") ?? (this.tagName === "output" ? this.textContent : "");
  }

  set value(value) {
    this.#value = this.tagName === "progress" ? value : String(value);
  }

  get textContent() {
    return this.childNodes.map((node) => node.textContent).join("");
  }

  set textContent(text) {
    this.replaceChildren(...(text === "" || text === null ? [] : [String(text)]));
  }

  get outerHTML() {
    const attributes = [...this.attributes].map(([name, value]) => ` ${name}="${value}"`).join("");
    return `<${this.tagName}${attributes}>${this.childNodes.map((node) => node.outerHTML).join("")}</${this.tagName}>`;
  }

  get children() {
    return this.childNodes.filter((node) => node instanceof Element);
  }

  get firstChild() {
    return this.childNodes[0] ?? null;
  }

  get lastElementChild() {
    return this.children.at(-1) ?? null;
  }

  get parentElement() {
    return this.parentNode;
  }

  get rows() {
    return this.children;
  }

  get cells() {
    return this.children;
  }

  append(...nodes) {
    this.#insert(this.childNodes.length, nodes);
  }

  prepend(...nodes) {
    this.#insert(0, nodes);
  }

  insertBefore(node, before) {
    node.parentNode?.removeChild(node);
    this.#insert(before === null ? this.childNodes.length : this.childNodes.indexOf(before), [node]);
  }

  replaceChildren(...nodes) {
    [...this.childNodes].forEach((node) => this.removeChild(node));
    this.append(...nodes);
  }

  replaceWith(node) {
    this.parentNode.insertBefore(node, this);
    this.remove();
  }

  remove() {
    this.parentNode?.removeChild(this);
  }

  removeChild(node) {
    this.childNodes = this.childNodes.filter((each) => each !== node);
    Object.assign(node, { parentNode: null });
  }

  #insert(place, nodes) {
    const fresh = nodes.map((node) => (typeof node === "string" ? new Text(node) : node));
    for (const node of fresh) {
      node.parentNode?.removeChild(node);
      node.parentNode = this;
    }
    this.childNodes.splice(place, 0, ...fresh);
  }

  cloneNode(isDeep) {
    const copy = new Element(this.tagName);
    this.attributes.forEach((value, name) => copy.setAttribute(name, value));
    if (isDeep) {
      copy.append(...this.childNodes.map((node) => node.cloneNode(true)));
    }
    return copy;
  }

  contains(node) {
    return node === this || this.children.some((child) => child.contains(node));
  }

  closest(selector) {
    return matches(this, selector) ? this : (this.parentNode?.closest(selector) ?? null);
  }

  querySelectorAll(selector) {
    return this.children.flatMap((child) => [
      ...(matches(child, selector) ? [child] : []),
      ...child.querySelectorAll(selector),
    ]);
  }

  querySelector(selector) {
    return this.querySelectorAll(selector)[0] ?? null;
  }

  /** A form's controls by their names, those outside of it that name it included. */
  get elements() {
    const controls = this.querySelectorAll("input");
    return { namedItem: (name) => controls.find((each) => each.name === name) ?? null, all: controls };
  }

  get labels() {
    return document.querySelectorAll("label").filter((label) => label.getAttribute("for") === this.id);
  }

  focus() {
    document.activeElement = this;
  }

  scrollIntoView() {
    document.scrolledTo = this;
  }

  click() {
    return this.dispatch("click");
  }
}

for (const [property, attribute] of [
  ...["id", "name", "type", "title", "href", "role", "dir", "target", "rel"].map((name) => [name, name]),
  ["className", "class"],
  ["dateTime", "datetime"],
]) {
  Object.defineProperty(Element.prototype, property, {
    get() {
      return this.getAttribute(attribute) ?? "";
    },
    set(value) {
      this.setAttribute(attribute, value);
    },
  });
}
for (const name of ["hidden", "disabled"]) {
  Object.defineProperty(Element.prototype, name, {
    get() {
      return this.hasAttribute(name);
    },
    set(value) {
      this.toggleAttribute(name, Boolean(value));
    },
  });
}

/** Return whether an element matches a selector such as `tr button.id[data-copy]`, `[type=submit]` or `a:hover`. */
function matches(element, selector) {
  const [last, ...parents] = selector.trim().split(/\s+/).reverse();
  const isMatch = [...last.matchAll(/([.:]?)([\w-]+)|\[([\w-]+)(?:="?([^"\]]*)"?)?\]/g)].every(
    ([, kind, name, attribute, value]) => {
      if (attribute) {
        return value === undefined ? element.hasAttribute(attribute) : element.getAttribute(attribute) === value;
      }
      if (kind === ".") {
        return element.classList.contains(name);
      }
      return kind === ":" ? name === "hover" && element.isHovered : element.tagName === name;
    },
  );
  return isMatch && (!parents.length || (element.parentNode?.closest(parents.reverse().join(" ")) ?? null) !== null);
}
