import threading
import time
from collections.abc import Callable


class Deadline:
    """One budget of time for all waits of a command."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        return max(0.0, self._end - self._clock())

    def poll(self, condition: Callable[[], bool], pause: float = 0.1) -> bool:
        """Whether the condition came true in time."""
        never = threading.Event()
        while not condition():
            if not self.left():
                return False
            never.wait(min(pause, self.left()))
        return True
