// Creates elements of SVG. What they look like is in the stylesheet; where they are, in their attributes.

const NAMESPACE = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(NAMESPACE, tag);
  setAll(node, attributes);
  node.append(...children);
  return node;
}

/** Set attributes, leaving those alone that are as they should be. */
export function setAll(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== String(value)) {
      node.setAttribute(name, value);
    }
  }
}

export function percent(value) {
  return `${Number(value.toFixed(2))}%`;
}
