"""Whether the tail is up to date: silence on a quiet topic must be told from a broker that does not answer."""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from consumer.ring.position import Position
from consumer.topic.kafka import Admin, KafkaUnavailable, Topic

logger = logging.getLogger(__name__)

# Two questions to the brokers, each with its deadline (topic/kafka.py).
MOST_QUESTION_S = 6.0


class TopicSnapshot(NamedTuple):
    """The topic and the end of its logs at one moment of the monitor's clock."""

    topic: Topic
    end: Position
    taken_at: float


class FreshnessMonitor:
    """Asks the brokers regularly how far the topic goes, and compares that with how far we have read.

    problem: why they could not be asked. stall: what the tail says while nothing comes from a partition."""

    def __init__(
        self, admin: Admin, interval_s: float, stale_after_s: float, clock: Callable[[], float]
    ) -> None:
        self._admin = admin
        self._interval_s = interval_s
        self._stale_after_s = stale_after_s
        self._clock = clock
        self._fresh_at = float("-inf")
        self._refreshing = threading.Lock()
        self.snapshot: TopicSnapshot | None = None
        self.problem = "not yet connected to Kafka"
        self.stall = ""

    def refresh(self) -> TopicSnapshot:
        """Take and return a new snapshot of the topic. Raises KafkaUnavailable.

        The tail and the monitor's own thread take them one after the other: a snapshot is never followed by an
        older one (Ring.log_end_after relies on that)."""
        with self._refreshing:
            at = self._clock()
            topic = self._admin.describe()
            end = Position(topic.id, self._admin.end_offsets(topic.partitions))
            self.snapshot = TopicSnapshot(topic, end, at)
            self.problem = ""
            return self.snapshot

    def report(self, position: Position) -> None:
        """Report how far we have read: if that covers the last snapshot, we were up to date when it was taken."""
        snapshot = self.snapshot
        if snapshot is None or snapshot.taken_at <= self._fresh_at or snapshot.topic.id != position.topic_id:
            return
        if position.covers(snapshot.end):
            self._fresh_at = snapshot.taken_at

    @property
    def is_fresh(self) -> bool:
        """Whether, less than `stale_after_s` ago, Kafka had nothing that we had not read."""
        return self._clock() - self._fresh_at < self._stale_after_s

    @property
    def is_informed(self) -> bool:
        """Whether the brokers have answered for every partition when they were asked last, or the time before."""
        snapshot = self.snapshot
        return (
            snapshot is not None
            and self._clock() - snapshot.taken_at < 2 * self._interval_s + MOST_QUESTION_S
        )

    def run(self, stopping: threading.Event) -> None:
        """Take snapshots until `stopping` is set."""
        while not stopping.wait(self._interval_s):
            try:
                self.refresh()
            except KafkaUnavailable as exc:
                if str(exc) != self.problem:
                    logger.warning("Kafka cannot be asked about the topic: %s", exc)
                self.problem = str(exc)
