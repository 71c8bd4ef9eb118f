// What can be done with an order next; the server has the last word (409, 412).

import { ask, Refused } from "./api.js";

const STEPS = {
  placed: [
    ["Confirm", "confirmed"],
    ["Cancel", "cancelled"],
  ],
  confirmed: [
    ["Ship", "shipped"],
    ["Cancel", "cancelled"],
  ],
  shipped: [["Deliver", "delivered"]],
};

/** Pairs of a button's word and the status it leads to. */
export function steps(status) {
  return STEPS[status] ?? [];
}

/** Only from the version that was on the screen: what somebody else did meanwhile is not overwritten. */
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
    return `Not done: ${error.message}.`;
  }
  return `${error.message.replace(/\.$/, "")}. Whether it was done shows here as soon as the shop is back.`;
}
