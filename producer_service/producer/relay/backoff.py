"""How long to wait before the next attempt: longer each time, and never in step with other processes."""

import random
from collections.abc import Callable


class Backoff:
    """Exponential backoff with full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015)."""

    def __init__(
        self, first_s: float = 0.5, longest_s: float = 3.0, rand: Callable[[], float] = random.random
    ):
        self._first_s, self._longest_s, self._rand = first_s, longest_s, rand
        self._attempts = 0

    def next_s(self) -> float:
        """Return the next pause: a tenth to the whole of the current limit, in seconds."""
        limit = min(self._first_s * (1 << min(self._attempts, 30)), self._longest_s)
        self._attempts += 1
        return limit * (0.1 + 0.9 * self._rand())

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._attempts = 0
