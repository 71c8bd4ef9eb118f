// Which transitions an order can take next; the server has the last word (409, 412).

import { ask, Refused } from "./api.js";

// The server's own table: for each status, the statuses it may change to.
const TRANSITIONS = JSON.parse(document.getElementById("recent").dataset.transitions);
const LABELS = { confirmed: "Confirm", shipped: "Ship", delivered: "Deliver", cancelled: "Cancel" };

/** Return pairs of a button's label and the status it leads to. */
export function transitions(status) {
  return (TRANSITIONS[status] ?? []).map((target) => [LABELS[target] ?? `Mark as ${target}`, target]);
}

/** Change the status, unless the order has changed since it was shown. */
export function move(order, status) {
  return ask(`/orders/${order.id}`, {
    method: "PATCH",
    body: { status },
    headers: { "If-Match": `"${order.version}"` },
  });
}

export function whyNot(error) {
  if (error instanceof Refused && error.status === 412) {
    return "Somebody changed this order meanwhile; this is how it is now.";
  }
  if (error instanceof Refused && error.status < 500) {
    return `Not done: ${error.message}`;
  }
  return `${error.message} Whether it was done shows here as soon as the shop is back.`;
}
