// Positions in the topic, as the server gives them: `<topic id>;0:120,1:98`, the next offset of every partition.

const FORM = /^[\w-]{22};\d+:\d+(,\d+:\d+)*$/;

export function isPosition(text) {
  return typeof text === "string" && FORM.test(text);
}

/** Return whether everything before `other` is before `position` too. Positions of two topics cannot be compared. */
export function covers(position, other) {
  const [ours, theirs] = [position, other].map(parse);
  return (
    ours.topic === theirs.topic && theirs.offsets.every((offset, partition) => (ours.offsets[partition] ?? 0) >= offset)
  );
}

export function isOfSameTopic(position, other) {
  return parse(position).topic === parse(other).topic;
}

/** Return the position of who has seen everything before both; `other` if it is of another topic. */
export function union(position, other) {
  const [ours, theirs] = [position, other].map(parse);
  if (ours.topic !== theirs.topic) {
    return other;
  }
  const length = Math.max(ours.offsets.length, theirs.offsets.length);
  const pairs = Array.from({ length }, (_, partition) => {
    return `${partition}:${Math.max(ours.offsets[partition] ?? 0, theirs.offsets[partition] ?? 0)}`;
  });
  return `${ours.topic};${pairs.join(",")}`;
}

function parse(position) {
  const [topic, pairs = ""] = position.split(";");
  return { topic, offsets: pairs.split(",").map((pair) => Number(pair.split(":")[1])) };
}
