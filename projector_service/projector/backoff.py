"""How long to wait before the next attempt, as values: longer each time, and never in step with other instances."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class BackoffPolicy:
    """first_s: the limit of the first pause. longest_s: of all."""

    first_s: float = 0.2
    longest_s: float = 5.0

    def limit_s(self, attempt: int) -> float:
        """Return the limit of the pause after this many attempts, twice as long each time."""
        return min(self.first_s * (1 << min(attempt, 30)), self.longest_s)


class Backoff:
    """Counts the attempts. Each pause is between a tenth and the whole of its limit (full jitter)."""

    def __init__(self, policy: BackoffPolicy, rand: Callable[[], float] = random.random) -> None:
        self._policy, self._rand = policy, rand
        self._attempts = 0

    def next_s(self) -> float:
        """Return the next pause in seconds."""
        limit_s = self._policy.limit_s(self._attempts)
        self._attempts += 1
        return limit_s * (0.1 + 0.9 * self._rand())

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._attempts = 0
