// What a gap in the stream means, in words.

export function gapInWords(gap) {
  const lost = Object.values(gap.lost ?? {}).reduce((sum, [first, end]) => sum + (end - first), 0);
  const many = lost
    ? `${lost.toLocaleString()} ${lost === 1 ? "event was" : "events were"}`
    : "Some events may have been";
  switch (gap.reason) {
    case "expired":
      return `${many} missed: this page was away for longer than the server looks back. The stream goes on live.`;
    case "overflow":
      return `${many} skipped: they came faster than this page could take them. The stream goes on live.`;
    case "recreated":
      return "The Kafka topic was created anew, so what was shown before belongs to the old one. The stream goes on.";
    case "unreadable":
      return "The server could not tell where this page had left off. Events in between may be missing; the stream goes on live.";
    default:
      return "Some events may be missing. The stream goes on live.";
  }
}
