"""A limit on how often something may be done."""

import threading
import time
from collections.abc import Callable


class RateLimiter:
    """Allows one call per interval."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        self._next_at = float("-inf")

    def allow(self) -> bool:
        """Return whether it may be done now; if so, the next interval begins."""
        with self._lock:
            now = self._clock()
            if now < self._next_at:
                return False
            self._next_at = now + self._interval_s
            return True
