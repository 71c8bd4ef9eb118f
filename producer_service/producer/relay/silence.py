"""For how long nothing has come from the partitions that go further than they were read.

A consumer may be silent, or slow: then one partition's messages wait behind those of the others in its queue."""

from collections.abc import Collection, Mapping

# As long as a slow consumer may take to empty a full queue (16 MiB) of the other partitions' messages.
LONE_STALL_S = 60.0
# When a broker answers again, the consumer has that long to find it too.
RETURN_S = 3.0


class Silence:
    """Measures it, look by look. Only the time after an answer of the brokers counts.

    What was measured is kept while there is none: they may answer only now and then. stall_s: for how long nothing may
    come.
    """

    def __init__(self) -> None:
        self.stall_s = 0.0
        self._looked_at: float | None = None
        self._positions: Mapping[int, int] = {}
        self._silent_s = 0.0  # for how long nothing has come at all
        self._waited_s: dict[int, float] = {}
        self._unreached: set[int] = set()

    def look(
        self,
        now: float,
        positions: Mapping[int, int],
        *,
        unreached: Collection[int],
        unanswered: Collection[int],
        reached: Collection[int],
    ) -> None:
        """Look how far each partition was read, and of which the brokers say that it goes further, or does not.

        unanswered: those of which they are being asked. Of any other the question has failed, or there was none."""
        passed_s = 0.0 if self._looked_at is None else now - self._looked_at
        self._silent_s = self._silent_s + passed_s if positions == self._positions else 0.0
        before, self._waited_s = self._waited_s, {}
        for number in {*before, *unreached} - {*reached}:
            if number not in before or positions[number] != self._positions[number]:
                waited_s = 0.0
            elif number in unreached:
                waited_s = before[number] + passed_s
            elif number in unanswered:
                waited_s = before[number]
            else:
                waited_s = min(before[number], self.stall_s - RETURN_S)
            self._waited_s[number] = waited_s
        self._looked_at, self._positions, self._unreached = now, dict(positions), {*unreached}

    @property
    def limit_s(self) -> float:
        """For how long nothing may come from a partition: longer while something comes from others."""
        return self.stall_s if self._silent_s > self.stall_s else max(self.stall_s, LONE_STALL_S)

    def late(self) -> list[int]:
        """Return the partitions from which nothing has come for longer than that, although they go further."""
        return [number for number in sorted(self._unreached) if self._waited_s[number] > self.limit_s]
