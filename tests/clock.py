"""A clock for tests: time passes when the test says so."""


class FakeClock:
    """Stands in for time.monotonic; add to `now` to let time pass.

    tick_s: how much time passes by itself at each call, for loops that only look at the clock.
    """

    def __init__(self, now: float = 1000.0, tick_s: float = 0.0) -> None:
        self.now = now
        self._tick_s = tick_s

    def __call__(self) -> float:
        """Return the time in seconds."""
        self.now += self._tick_s
        return self.now
