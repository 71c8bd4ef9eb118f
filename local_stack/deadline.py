"""Wait for a condition, for a bounded time."""

import threading
import time
from collections.abc import Callable


class Deadline:
    """A time budget, in seconds, that several waits can share."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining_s(self) -> float:
        return max(0.0, self._end - self._clock())

    def poll(self, condition: Callable[[], bool], pause: float = 0.1) -> bool:
        """Call the condition every `pause` seconds. Return whether it became true in time."""
        never_set = threading.Event()
        while not condition():
            if not self.remaining_s():
                return False
            never_set.wait(min(pause, self.remaining_s()))
        return True
