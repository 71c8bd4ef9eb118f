"""Looks at the topic from outside every few seconds, so that silence can be told from trouble."""

import logging
from collections.abc import Callable
from threading import Event
from typing import NamedTuple, Protocol

from consumer.kafka import KafkaUnavailable, Topic
from consumer.position import Position

logger = logging.getLogger(__name__)


class Admin(Protocol):
    def describe(self) -> Topic: ...
    def begins(self, partitions: int) -> tuple[int, ...]: ...
    def ends(self, partitions: int) -> tuple[int, ...]: ...


class Seen(NamedTuple):
    """At this moment the topic was this one and its logs ended here."""

    topic: Topic
    end: Position
    at: float


class Watch:
    """`is_fresh` is true while, lately, there was nothing in Kafka that we had not read."""

    def __init__(
        self, admin: Admin, interval_s: float, stale_after_s: float, clock: Callable[[], float]
    ) -> None:
        self._admin = admin
        self._interval_s = interval_s
        self._stale_after_s = stale_after_s
        self._clock = clock
        self._confirmed_at = float("-inf")
        self.seen: Seen | None = None
        self.problem = "not yet connected to Kafka"

    def look(self) -> Seen:
        at = self._clock()
        topic = self._admin.describe()
        self.seen = Seen(topic, Position(topic.id, self._admin.ends(topic.partitions)), at)
        self.problem = ""
        return self.seen

    def confirm(self, position: Position) -> None:
        """We have read up to here: if that is all there was at the last look, we were not behind then."""
        seen = self.seen
        if seen is None or seen.at <= self._confirmed_at or seen.topic.id != position.topic_id:
            return
        if position.covers(seen.end):
            self._confirmed_at = seen.at

    @property
    def is_fresh(self) -> bool:
        return self._clock() - self._confirmed_at < self._stale_after_s

    def run(self, stopping: Event) -> None:
        while not stopping.wait(self._interval_s):
            try:
                self.look()
            except KafkaUnavailable as exc:
                if str(exc) != self.problem:
                    logger.warning("Kafka cannot be asked about the topic: %s", exc)
                self.problem = str(exc)
