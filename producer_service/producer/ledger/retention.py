"""Which events Kafka's retention may have removed: those are not missing."""

from collections.abc import Mapping
from uuid import UUID

from producer.domain.partitioner import partition_of

# The clocks of producers and brokers may differ by this much; the read-back allows for the same.
MARGIN_MS = 5 * 60 * 1000


class Retention:
    """The first messages that the partitions still have.

    first_ms: for each partition when Kafka got the first message that is left, in ms; None when nothing has been
    removed from it. Where everything was removed, it is the time of the question. has_grown: the topic was given more
    partitions, so any of them may have had an event.
    """

    def __init__(self, first_ms: Mapping[int, int | None], *, has_grown: bool = False):
        self._first_ms, self._has_grown = first_ms, has_grown
        known = [first + MARGIN_MS for first in first_ms.values() if first is not None]
        self._latest_ms: float = max(known, default=float("-inf"))
        self._earliest_ms: float = min(known) if len(known) == len(first_ms) and known else float("-inf")

    def may_have_removed(self, order_id: bytes, committed_ms: int) -> bool:
        """Return whether an event that was committed then may have been removed.

        It was published after its commit. If its partition's first message is older than that by more than what
        clocks may differ by, the event came after that message and would still be there.
        """
        # Computing an order's partition takes longer than all else that is done for it.
        if committed_ms > self._latest_ms:
            return False
        if self._has_grown or committed_ms <= self._earliest_ms:
            return True
        partition = partition_of(str(UUID(bytes=order_id)), len(self._first_ms))
        first_ms = self._first_ms[partition]
        return first_ms is not None and committed_ms <= first_ms + MARGIN_MS
