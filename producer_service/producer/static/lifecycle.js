// The transitions that an order can take next. The server decides (409, 412).

import { ErrorResponse, request } from "./api.js";
import { byId } from "./element.js";

// The server's own table: for each status, the statuses it may change to.
const TRANSITIONS = JSON.parse(byId("recent").dataset.transitions);
const LABELS = { confirmed: "Confirm", shipped: "Ship", delivered: "Deliver", cancelled: "Cancel" };

/** Return pairs of a button's label and the status it leads to. */
export function transitions(status) {
  return (TRANSITIONS[status] ?? []).map((target) => [LABELS[target] ?? `Mark as ${target}`, target]);
}

/** Change an order's status, unless the order has changed since it was shown. Returns the order as it is then. */
export function changeStatus(order, status) {
  return request(`/orders/${order.id}`, {
    method: "PATCH",
    body: { status },
    headers: { "If-Match": `"${order.version}"` },
  });
}

/** Describe in full sentences why the status was not changed, or may not have been. */
export function describeFailure(error) {
  if (error instanceof ErrorResponse && error.status === 412) {
    return "Somebody else has changed this order in the meantime. The row shows it as it is now.";
  }
  if (error instanceof ErrorResponse && error.status < 500) {
    return `The status was not changed: ${error.message}`;
  }
  return `${error.message} As soon as the shop is back, the row shows whether the status was changed.`;
}
