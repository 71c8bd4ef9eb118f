// What the pages say of their connection, beside the word for it.

const NOTES = {
  connecting: "Waiting for the server.",
  live: "Every event is shown as it arrives.",
  reconnecting: "No contact with the server. The page keeps trying and will show the events that it missed.",
  stale: "The server is running, but cannot tell whether Kafka has newer events.",
  busy: "The server has reached its limit of viewers. The page keeps trying.",
};

// While the server sends what came in while this page was away.
const REPLAY_NOTES = {
  waiting: "In line for the events that this page has missed.",
  reading: "Receiving the events that this page has missed.",
};

/** Describe a state of the stream in a sentence. data: what the server has said about it. */
export function describeState(name, data) {
  return (name === "live" && REPLAY_NOTES[data.replay]) || (NOTES[name] ?? "");
}
