"""The circuit breaker on the direct publish: while Kafka does not answer, events go to the relay at once.

Closed: everything is published directly. Open: nothing is, for a while. Half-open: one publish at a time is
let through as a probe, and its delivery report decides. After Nygard, "Release It!", except that delivery
reports are the judge and not the calls, because a call returns before anyone knows.

It counts what Kafka did not acknowledge in time. That says nothing about the event itself, which may be in
Kafka all the same: its outbox row decides, not the breaker. Each process has a breaker of its own.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

logger = logging.getLogger(__name__)

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True)
class BreakerPolicy:
    """When the breaker opens and how it closes again.

    failures: how many, without a success between them, until it opens. open_s: how long it stays open before a
    probe is let through. probe_s: when a probe without a delivery report makes way for another one.
    """

    failures: int = 5
    open_s: float = 5.0
    probe_s: float = 6.0


@dataclass(frozen=True)
class Permit:
    """Permission to publish. Its report counts only in the period of the breaker that gave it."""

    period: int


class Breaker:
    """A circuit breaker. Its lock is held for a transition, never during a publish."""

    def __init__(self, policy: BreakerPolicy, clock: Callable[[], float] = time.monotonic):
        self._policy, self._clock = policy, clock
        self._lock = threading.Lock()
        self._state: State = "closed"
        self._period = 0
        self._failures = 0
        self._wait_until = 0.0

    @property
    def state(self) -> State:
        """The state; half-open as soon as a probe would be let through, since without orders none is sent."""
        with self._lock:
            return "half-open" if self._state == "open" and self._clock() >= self._wait_until else self._state

    def permit(self) -> Permit | None:
        """Return a permit to publish, or None: the event is to be left to the relay."""
        with self._lock:
            if self._state == "closed":
                return Permit(self._period)
            if self._clock() < self._wait_until:
                return None
            self._become("half-open", self._policy.probe_s)
            return Permit(self._period)

    def succeeded(self, permit: Permit) -> None:
        """Report that Kafka acknowledged an event."""
        with self._lock:
            if permit.period != self._period:
                return
            self._failures = 0
            if self._state == "half-open":
                self._become("closed", 0)

    def failed(self, permit: Permit) -> None:
        """Report that an event was not acknowledged in time."""
        with self._lock:
            if permit.period != self._period:
                return
            self._failures += 1
            if self._state == "half-open" or self._failures >= self._policy.failures:
                self._become("open", self._policy.open_s)

    def release(self, permit: Permit) -> None:
        """Give back a permit that nothing was published with, so that the next request may be the probe."""
        with self._lock:
            if permit.period == self._period and self._state == "half-open":
                self._wait_until = self._clock()

    def _become(self, state: State, wait_s: float) -> None:
        if state != self._state:
            logger.warning("The circuit breaker is %s", state)
        self._state, self._failures = state, 0
        self._period += 1
        self._wait_until = self._clock() + wait_s
