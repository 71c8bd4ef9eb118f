"""The backlog, measured beside the requests: no order waits while rows are counted."""

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from producer.domain.backlog import Backlog

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
MAX_AGE_S = 10.0
FIRST_S = 2.0
# At a million rows a measurement takes a good part of a second: the pause after it is so many times as long.
PAUSE_FACTOR = 4
SPARE_S = 1.0  # so much before a measurement is too old, the next one shall have ended


class BacklogMonitor:
    """A thread that measures the outbox again and again. Call it for the last measurement.

    Before the thread is started, a call measures.
    """

    def __init__(self, measure: Callable[[], Backlog], clock: Callable[[], float] = time.monotonic):
        self._measure, self._clock = measure, clock
        self._last: tuple[Backlog, float] | None = None
        self._measured = threading.Event()
        self._stop = threading.Event()
        self._started = False
        self._thread = threading.Thread(target=self._run, name="backlog", daemon=True)

    def __call__(self) -> Backlog | None:
        return self.last() if self._started else self._measure()

    def last(self) -> Backlog | None:
        """Return the backlog as it was at most MAX_AGE_S ago, without waiting; None when that is not known."""
        last = self._last
        return last[0] if last is not None and self._clock() - last[1] < MAX_AGE_S else None

    def start(self, first_s: float = FIRST_S) -> None:
        """Start the thread, and wait up to `first_s` for the first measurement: until then no order is taken."""
        self._started = True
        self._thread.start()
        self._measured.wait(first_s)

    def close(self, timeout_s: float) -> None:
        """End the thread, waiting for at most `timeout_s`."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def measure_once(self) -> float:
        """Measure; return how long to wait before the next time, in seconds."""
        begun = self._clock()
        try:
            self._last = self._measure(), begun
            self._measured.set()
        except SQLAlchemyError as error:
            logger.warning("The outbox cannot be measured: %s", str(error).splitlines()[0])
        return _pause_after(self._clock() - begun)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(self.measure_once())


def _pause_after(took_s: float) -> float:
    """Return the pause after a measurement, or an attempt, that took so long.

    The next one may take as long, and must end before this one is too old. What takes longer than half of that was
    hardly counting, but a wait for a database that was frozen or cut off, and may be back: then there is no pause.
    """
    return max(0.0, min(max(INTERVAL_S, PAUSE_FACTOR * took_s), MAX_AGE_S - 2 * took_s - SPARE_S))
