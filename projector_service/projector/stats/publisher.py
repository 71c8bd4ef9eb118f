"""Publishes the figures when they have changed, for the dashboards. One instance does, in a thread of its own: whatever
happens here, counting goes on."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from projector.backoff import Backoff
from projector.stats.message import ITEMS, MINUTES, encode
from projector.stats.topic import Topic
from projector.store.database import DatabaseUnavailable, Refused
from projector.store.queries import Figures, Stats
from projector.topic.kafka import KafkaUnavailable

logger = logging.getLogger(__name__)

EVERY_S = 1.0
# Figures that have not changed are published again, dated anew: who waits for some can tell a quiet shop from a
# projector that is away. It also moves the minutes on.
AGAIN_S = 10.0
# Reading takes a tenth of the time, also when it fails. Only what takes longer than a second takes more: AGAIN_S is the
# longest pause, as figures that come more seldom seem old.
READING_FACTOR = 9
# Figures are dropped that were read longer ago: this process was frozen, and another one has gone on.
MOST_AGE_S = 15.0


class Queries(Protocol):
    """What is asked of the read models. Both methods raise DatabaseUnavailable."""

    def stats(self) -> Stats: ...
    def figures(self, minutes: int, items: int) -> Figures: ...


class StatsPublisher:
    """A thread's work. published, failed: how often it was done, or was not. problem: why not the last time, or ""."""

    def __init__(
        self, queries: Queries, topic: Topic, is_ours: Callable[[], bool], backoff: Backoff,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """is_ours: whether it is for this instance to publish. Two may think so for a moment, which harms nobody: of
        two figures the newer one counts."""
        self._queries, self._topic, self._is_ours = queries, topic, is_ours
        self._backoff, self._clock = backoff, clock
        self._last: Stats | None = None
        self._last_at = float("-inf")
        self.published = self.failed = 0
        self.problem = ""

    @property
    def is_publishing(self) -> bool:
        """Whether it is this instance that publishes."""
        return self._is_ours()

    def run(self, stopping: threading.Event) -> None:
        """Publish until `stopping` is set."""
        while not stopping.is_set():
            stopping.wait(self.step())

    def step(self) -> float:
        """Publish if there is something to be published, and return for how many seconds to wait."""
        if not self.is_publishing:
            self._last, self.problem = None, ""
            return EVERY_S
        began = self._clock()
        try:
            try:
                figures = self._read(began)
            finally:
                pause_s = min(AGAIN_S, max(EVERY_S, READING_FACTOR * (self._clock() - began)))
            if figures is not None:
                self._publish(figures, began)
        except (KafkaUnavailable, DatabaseUnavailable, Refused) as error:
            return max(pause_s, self._fail(str(error)))
        self.problem = ""
        self._backoff.reset()
        return pause_s

    def _read(self, now: float) -> Figures | None:
        """Return the figures if they have changed, or have not been told for long."""
        if self._last is not None and now < self._last_at + AGAIN_S and self._queries.stats() == self._last:
            return None
        return self._queries.figures(MINUTES, ITEMS)

    def _publish(self, figures: Figures, read_at: float) -> None:
        value = encode(figures)
        if self._clock() - read_at > MOST_AGE_S:
            logger.warning("Figures were not published: they are too old")
            return
        self._topic.send(value)
        self.published += 1
        self._last, self._last_at = figures.stats, read_at

    def _fail(self, problem: str) -> float:
        self.failed += 1
        if problem != self.problem:
            logger.warning("Figures cannot be published: %s", problem)
        self.problem = problem
        return self._backoff.next_s()
