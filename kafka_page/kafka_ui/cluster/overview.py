"""The topics as their pages show them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from kafka_ui.cluster.admin import Admin, Setting, Unanswered
from kafka_ui.cluster.offsets import Offsets
from kafka_ui.cluster.picture import Picture
from kafka_ui.cluster.rates import Rates
from kafka_ui.wire.questions import Partition, Topic

Number = TypeVar("Number", int, float)
MIN_IN_SYNC = "min.insync.replicas"


@dataclass(frozen=True)
class PartitionRow:
    """A partition. first, end: its offsets, None without an answer; rate: messages a second; bytes: of one replica."""

    partition: Partition
    first: int | None
    end: int | None
    rate: float | None
    bytes: int | None

    @property
    def messages(self) -> int | None:
        """How many there are at most: markers of transactions and what was compacted away have offsets, too."""
        return None if self.first is None or self.end is None else self.end - self.first


@dataclass(frozen=True)
class TopicRow:
    """A topic with its partitions. bytes: of all replicas on the brokers that said."""

    topic: Topic
    partitions: tuple[PartitionRow, ...]
    bytes: int | None

    @property
    def messages(self) -> int | None:
        """The sum over the partitions, None unless all are known."""
        return _sum([each.messages for each in self.partitions])

    @property
    def rate(self) -> float | None:
        """Messages a second, None unless all partitions are known."""
        return _sum([each.rate for each in self.partitions])

    @property
    def replicas(self) -> int:
        """How many replicas its partitions have, at least."""
        return min((len(each.replicas) for each in self.topic.partitions), default=0)

    @property
    def under_replicated(self) -> int:
        """How many partitions have a replica that is not in sync."""
        return sum(len(each.in_sync) < len(each.replicas) for each in self.topic.partitions)


class Overview:
    """Asks for what the picture does not have: offsets and settings."""

    def __init__(
        self, admin: Admin, offsets: Offsets, rates: Rates, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._admin, self._offsets, self._rates, self._clock = admin, offsets, rates, clock
        self._min_in_sync: dict[str, int] = {}

    def rows(self, picture: Picture, topics: Iterable[Topic]) -> list[TopicRow]:
        """Return the rows of these topics."""
        wanted = list(topics)
        ranges = self._offsets.ranges(picture, wanted)
        rates = self._rates.observe({place: end for place, (_, end) in ranges.items()}, self._clock())

        def row(topic: Topic, partition: Partition) -> PartitionRow:
            place = (topic.name, partition.number)
            first, end = ranges.get(place, (None, None))
            sizes = picture.sizes.get(place, {})
            size = sizes.get(partition.leader, max(sizes.values(), default=None))
            return PartitionRow(partition, first, end, rates.get(place), size)

        return [
            TopicRow(
                topic,
                tuple(row(topic, partition) for partition in topic.partitions),
                picture.size(topic) if picture.sizes else None,
            )
            for topic in wanted
        ]

    def settings(self, topic: str) -> list[Setting] | None:
        """Return the settings of a topic, or None when Kafka does not answer in time."""
        try:
            settings = self._admin.settings(topic)
        except Unanswered:
            return None
        for each in settings:
            if each.name == MIN_IN_SYNC:
                self._min_in_sync[topic] = int(each.value)
        return settings

    def min_in_sync(self, topic: str) -> int | None:
        """Return how many replicas a topic needs to take messages, as it was when somebody last answered."""
        if topic not in self._min_in_sync:
            self.settings(topic)
        return self._min_in_sync.get(topic)


def _sum(numbers: list[Number | None]) -> Number | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None
