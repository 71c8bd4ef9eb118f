/** Set a text, but leave the node alone if it has it already: screen readers and selections notice any change. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
