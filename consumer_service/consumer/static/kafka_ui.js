// Links into Kafka UI: kafbat's, whose filter finds a text in key, value or headers, and the native stack's own, which
// looks for the key and points out the event.

const MOST = 100;

/** Create a link to the message of an event. messages: where Kafka UI shows the topic's messages. */
export function eventUrl(messages, event) {
  const query = { mode: "LATEST", limit: MOST, stringFilter: event.id, key: event.subject, event: event.id };
  return `${messages}?${new URLSearchParams(query)}`;
}

/** Create a link to all messages of an order. */
export function orderUrl(messages, id) {
  return `${messages}?${new URLSearchParams({ mode: "EARLIEST", limit: MOST, stringFilter: id, key: id })}`;
}
