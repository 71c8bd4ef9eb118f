"""The topic of the figures, read beside that of the events: neither waits for the other, and whatever is wrong with the
figures, events are shown as ever."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import closing

from consumer.ring.stats import LatestStats
from consumer.topic.kafka import Admin, KafkaUnavailable, OpenReader, Record, Topic
from consumer.topic.stats import UnreadableStats, read_stats

logger = logging.getLogger(__name__)

# Of two that were published at once, the newer may come first.
READ_BACK = 10
POLL_S = 0.5
PAUSE_S = 2.0
# The projector publishes every 10 s at least. When nothing has come for so long, the brokers are asked why.
SILENCE_S = 20.0


class StatsTail:
    """Keeps the newest figures. problem: why there are no new ones, as far as is known, or "". unreadable: messages."""

    def __init__(
        self, latest: LatestStats, admin: Admin, open_reader: OpenReader, clock: Callable[[], float]
    ) -> None:
        self._latest, self._admin, self._open_reader, self._clock = latest, admin, open_reader, clock
        self.problem = "not yet connected to Kafka"
        self.unreadable = 0

    def run(self, stopping: threading.Event) -> None:
        """Read until `stopping` is set."""
        while not stopping.is_set():
            try:
                self._session(stopping)
            except KafkaUnavailable as exc:
                if str(exc) != self.problem:
                    logger.info("The figures cannot be read: %s", exc)
                self.problem = str(exc)
            stopping.wait(PAUSE_S)

    def _session(self, stopping: threading.Event) -> None:
        """Read from a little before the end, until the topic is another one or nothing comes although there is more."""
        topic = self._admin.describe()
        begin, end = self._ask(topic)
        offsets = [max(first, last - READ_BACK) for first, last in zip(begin, end, strict=True)]
        with closing(self._open_reader(offsets)) as reader:
            self.problem = ""
            heard_at = self._clock()
            while not stopping.is_set():
                read = reader.read(POLL_S)
                for record in read.records:
                    offsets[record.partition] = record.offset + 1
                    self._take(record)
                for partition, offset in read.end_offsets.items():
                    offsets[partition] = max(offsets[partition], offset)
                if read.records:
                    heard_at = self._clock()
                elif self._clock() - heard_at > SILENCE_S:
                    heard_at = self._clock()
                    if self._admin.describe() != topic or self._ask(topic)[1] != tuple(offsets):
                        return
                if read.out_of_range:
                    return

    def _ask(self, topic: Topic) -> tuple[Sequence[int], Sequence[int]]:
        """Return where the logs begin and end. Raises KafkaUnavailable."""
        partitions = topic.partitions
        return self._admin.beginning_offsets(partitions), self._admin.end_offsets(partitions)

    def _take(self, record: Record) -> None:
        """Keep the figures if they are the newest. What cannot be read is counted; of a flood, little is logged."""
        try:
            self._latest.put(read_stats(record.value))
        except UnreadableStats as exc:
            self.unreadable += 1
            if self.unreadable <= 100 or self.unreadable % 100 == 0:
                logger.warning("Skipped figures at offset %d: %s", record.offset, exc)
