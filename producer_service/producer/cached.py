"""A value that is computed at most once in a while, however many threads ask for it."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """Keeps the result of `compute` for `seconds`. Whatever `compute` raises is raised, and nothing is kept."""

    def __init__(self, compute: Callable[[], T], seconds: float, clock: Callable[[], float] = time.monotonic):
        self._compute, self._seconds, self._clock = compute, seconds, clock
        self._lock = threading.Lock()
        self._kept: tuple[T, float] | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._kept is None or self._clock() >= self._kept[1]:
                value = self._compute()
                self._kept = value, self._clock() + self._seconds
            return self._kept[0]
