// Events as they come: from the stream and from the history.

/**
 * Return the event with a text for each field whose value is an object. Whoever may write to the topic chooses what is
 * in it, and the consumer passes it on: some objects cannot be shown at all, such as {"toString": 1}, and one event that
 * throws would take all the others of its frame with it.
 */
export function withTexts(event) {
  for (const fields of [event, event.data]) {
    for (const [name, value] of Object.entries(fields)) {
      if (typeof value === "object" && value !== null && value !== event.data) {
        fields[name] = JSON.stringify(value);
      }
    }
  }
  return event;
}

/** Return the event of a message of the stream; null if it is not JSON, which is logged. */
export function parse(text) {
  try {
    return withTexts(JSON.parse(text));
  } catch (error) {
    console.error("Skipped an event that is not JSON", error);
    return null;
  }
}
