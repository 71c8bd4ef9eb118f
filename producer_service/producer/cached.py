"""A value that is computed at most once in a while, however many threads ask for it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")

WAIT_S = 5.0


class Overdue(Exception):
    """The value was not computed in time."""


class Cached(Generic[T]):
    """Keeps what `compute` returned, or the error it raised, for `seconds`.

    It is computed by one thread at a time, and nobody waits longer than `wait_s` for it. Who asks while it is
    computed gets the last outcome at once: what is asked for may be frozen, and its callers must not be. Not when
    that was to be kept until more than `wait_s` ago: nothing older is given than who waits may get. When the
    computation has taken `wait_s`, everybody gets Overdue until it ends.
    """

    def __init__(
        self,
        compute: Callable[[], T],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        wait_s: float = WAIT_S,
    ):
        self._compute, self._seconds, self._clock, self._wait_s = compute, seconds, clock, wait_s
        self._lock = threading.Lock()
        self._known: Future[T] | None = None
        self._known_until = 0.0
        self._running: Future[T] | None = None
        self._overdue_at = 0.0

    def __call__(self) -> T:
        """Return the value. Raises what `compute` raised, or Overdue."""
        return self.begin()()

    def begin(self) -> Callable[[], T]:
        """Begin to compute without waiting; return a function that waits for the rest, like a call."""
        with self._lock:
            known = self._known
            if known is not None and self._clock() < self._known_until:
                return partial(self._await, known, 0.0)
            is_first = self._running is None
            running = self._running or self._start()
            overdue_at = self._overdue_at
            known_until = self._known_until
        now = self._clock()
        if known is not None and not is_first and now < min(overdue_at, known_until + self._wait_s):
            return partial(self._await, known, 0.0)
        return partial(self._await, running, overdue_at)

    def _await(self, running: Future[T], overdue_at: float) -> T:
        wait([running], max(0.0, overdue_at - self._clock()))
        if not running.done():
            raise Overdue(f"No answer within {self._wait_s:g} s")
        return _outcome(running)

    def _start(self) -> Future[T]:
        """Compute in a thread of its own: also the first caller waits no longer than it may."""
        running: Future[T] = Future()
        threading.Thread(target=self._run, args=(running,), name="cached", daemon=True).start()
        self._running, self._overdue_at = running, self._clock() + self._wait_s
        return running

    def _run(self, running: Future[T]) -> None:
        try:
            value = self._compute()
        except Exception as error:  # noqa: BLE001 (whoever asks gets it)
            self._end(partial(running.set_exception, error), running)
        except BaseException:  # this thread is being ended: that says nothing about the value
            self._end(partial(running.set_exception, Overdue("No answer: its computation was ended")), None)
            raise
        else:
            self._end(partial(running.set_result, value), running)

    def _end(self, settle: Callable[[], None], outcome: Future[T] | None) -> None:
        """End the computation: tell those who wait, and keep the outcome if there is one."""
        with self._lock:
            settle()
            self._running = None
            if outcome is not None:
                self._known, self._known_until = outcome, self._clock() + self._seconds


def _outcome(ended: Future[T]) -> T:
    """Return the value or raise the error. Its traceback would grow with every caller, and keep their frames."""
    if (error := ended.exception()) is not None:
        raise error.with_traceback(None)
    return ended.result()
