// Gaps in the stream.

/** Describe a gap in full sentences. gap: the data of a gap event, {reason, lost: {partition: [first, end]}}. */
export function describeGap(gap) {
  const lost = Object.values(gap.lost ?? {}).reduce((sum, [first, end]) => sum + (end - first), 0);
  const events = lost
    ? `${lost.toLocaleString()} ${lost === 1 ? "event was" : "events were"}`
    : "Some events may have been";
  switch (gap.reason) {
    case "expired":
      return `${events} missed: this page was away for longer than Kafka keeps events. The stream continues live.`;
    case "overflow":
      return `${events} skipped: they arrived faster than this page could receive them. The stream continues live.`;
    case "recreated":
      return "The Kafka topic was created again or has lost events, so older rows may not be in it. The stream continues.";
    case "unreadable":
      return "The server could not tell where this page had left off. Events in between may be missing. The stream continues live.";
    default:
      return "Some events may be missing. The stream continues live.";
  }
}
