"""The newest figures. What came before them is of no use to anybody, so nothing else is kept."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

# Figures come every 10 s at least. Where only older ones have come for so long, the clock that dates them was set back,
# or the database restored: then the older ones are the present ones. No late message is as late as that.
OUTDATED_S = 30.0


class Stats(NamedTuple):
    """What the orders add up to, as bytes of the topic, and of which moment it is."""

    time: datetime
    payload: bytes


class LatestStats:
    """Keeps the newest figures. May be used from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stats: Stats | None = None
        self._number = 0
        self._put_at = float("-inf")
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change, from the thread that made it."""
        self._listeners.append(listener)

    @property
    def number(self) -> int:
        """How many figures there have been: another number, other figures."""
        return self._number

    def get(self) -> tuple[int, Stats | None]:
        """Return the newest figures and their number; 0 and None before the first ones."""
        with self._lock:
            return self._number, self._stats

    def put(self, stats: Stats) -> bool:
        """Keep figures unless they are older than those that are kept; return whether they are kept now."""
        with self._lock:
            now = self._clock()
            if self._stats and stats.time < self._stats.time and now < self._put_at + OUTDATED_S:
                return False
            self._stats, self._put_at = stats, now
            self._number += 1
        for listener in self._listeners:
            listener()
        return True
