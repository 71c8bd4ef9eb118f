"""For how long nothing has come from the partitions that go further than we have read.

A reader may be silent, or slow: then one partition's messages wait behind those of the others in its queue."""

from consumer.ring.position import Position

# Longer than it takes a slow reader to empty a full queue (8 MiB) of the other partitions' messages.
LONE_STALL_S = 30.0
# Once the brokers answer again, a reader has that long to find them too.
RETURN_S = 3.0


class Silence:
    """Measures it, look by look. Only the time in which the brokers answer for every partition counts.

    While they do not, no reader can be blamed; and they may never answer for long, so what was measured is kept."""

    def __init__(self) -> None:
        self._looked_at = 0.0
        self._position: Position | None = None
        self._silent_s = 0.0  # for how long nothing has come at all
        self._behind: dict[int, tuple[int, float]] = {}  # by partition: where we are, and for how long
        self._answering_s: float | None = None  # for how long the brokers have answered

    def look(self, now: float, position: Position, end: Position | None) -> None:
        """Look how far we have read. end: where the logs end, or None while the brokers do not answer."""
        passed_s = 0.0 if end is None or self._answering_s is None else now - self._looked_at
        self._silent_s = self._silent_s + passed_s if position == self._position else 0.0
        self._looked_at, self._position = now, position
        if end is None:
            self._answering_s = None
            return
        self._answering_s = passed_s + (self._answering_s or 0.0)
        before, self._behind = self._behind, {}
        for partition, last in enumerate(end.offsets):
            offset = position.at(partition)
            if offset != last:
                same_place, waited_s = before.get(partition, (-1, 0.0))
                self._behind[partition] = (offset, waited_s + passed_s if same_place == offset else 0.0)

    def limit_s(self, stall_s: float) -> float:
        """Return for how long nothing may come from a partition: `stall_s` if nothing comes from the others either."""
        return stall_s if self._silent_s > stall_s else max(stall_s, LONE_STALL_S)

    def late(self, stall_s: float) -> list[int]:
        """Return the partitions from which nothing has come for longer than that, although they go further."""
        if self._answering_s is None or self._answering_s < RETURN_S:
            return []
        limit_s = self.limit_s(stall_s)
        return [partition for partition, (_, waited_s) in self._behind.items() if waited_s > limit_s]
