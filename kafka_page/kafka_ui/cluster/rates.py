"""How many messages a second come in, from the ends of the partitions that pages have seen a moment ago."""

import threading
from collections import deque
from collections.abc import Mapping

from kafka_ui.wire.questions import Place

LONGEST_S = 10.0
SHORTEST_S = 1.0


class Rates:
    """Keeps the ends of the last LONGEST_S. Nothing is asked while nobody looks, so the first page has no rate."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, Mapping[Place, int]]] = deque()

    def observe(self, ends: Mapping[Place, int], now: float) -> dict[Place, float]:
        """Return messages per second by partition, of those that were seen SHORTEST_S ago or earlier. now: seconds."""
        with self._lock:
            while self._seen and not now - LONGEST_S <= self._seen[0][0] <= now:
                self._seen.popleft()
            earlier = next(iter(self._seen), None)
            if not self._seen or now - self._seen[-1][0] >= SHORTEST_S:
                self._seen.append((now, dict(ends)))
        if earlier is None or now - earlier[0] < SHORTEST_S:
            return {}
        then, before = earlier
        return {
            place: max(0, end - before[place]) / (now - then)
            for place, end in ends.items()
            if place in before
        }
