// Creates and finds elements. Text stays text: nothing here is parsed as HTML.

/** Create an element. Names with a hyphen, and `role`, are set as attributes, all others as properties. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") {
      node.setAttribute(name, value);
    } else {
      node[name] = value;
    }
  }
  node.append(...children);
  return node;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Set a text, but leave the node alone if it has it already: screen readers and selections notice any change. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
