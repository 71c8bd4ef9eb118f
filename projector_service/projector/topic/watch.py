"""How far the group is behind: the ends of the logs, compared with the table of positions a moment later."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from projector.readmodel.placement import Position
from projector.store.database import DatabaseUnavailable
from projector.topic.kafka import KafkaUnavailable, Topic

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ends:
    """The end of each partition's log, as it was at a moment of the clock."""

    topic_id: str
    offsets: Mapping[int, int]
    taken_at: float


class Watch:
    """Asks Kafka for the ends, and the table for the positions, every `every_s` seconds.

    problem: why Kafka could not be asked the last time, or "". has_caught_up: whether everything that was in Kafka has
    ever been applied, as seen since the start.
    """

    def __init__(
        self,
        ask: Callable[[], Topic],
        positions: Callable[[], Mapping[int, Position]],
        clock: Callable[[], float],
        every_s: float,
    ) -> None:
        """positions: returns the table of positions. Raises DatabaseUnavailable."""
        self._ask, self._positions, self._clock, self._every_s = ask, positions, clock, every_s
        self._topic: Topic | None = None
        self._caught_up_at: float = clock()
        self.has_caught_up = False
        self.ends: Ends | None = None
        self.problem = ""

    def topic_id_since(self, moment: float) -> str | None:
        """Return the id of the topic as it was seen last, None when that was not after this moment."""
        return self.ends.topic_id if self.ends and self.ends.taken_at > moment else None

    def lag(self, positions: Mapping[int, Position]) -> dict[int, int]:
        """Return how many offsets of each partition are not applied yet, as far as is known."""
        if self.ends is None:
            return {}
        return {
            p: max(0, end - _next(positions, p, self.ends.topic_id)) for p, end in self.ends.offsets.items()
        }

    @property
    def behind_s(self) -> float:
        """For how many seconds there has been something in Kafka that is not applied, or nobody knows."""
        return self._clock() - self._caught_up_at

    def run(self, stopping: threading.Event) -> None:
        """Watch until `stopping` is set."""
        while not stopping.is_set():
            self.look()
            stopping.wait(self._every_s)

    def look(self) -> None:
        """Look once."""
        try:
            before, self.ends = self.ends, self._ask_for_ends()
            self.problem = ""
            positions = self._positions()
        except KafkaUnavailable as error:
            if str(error) != self.problem:
                logger.warning("Kafka cannot be asked about the topic: %s", error)
            self.problem = str(error)
            return
        except DatabaseUnavailable as error:
            logger.warning("The positions cannot be read: %s", error)
            return
        for ends in (before, self.ends):
            if ends and _covers(positions, ends):
                self._caught_up_at = max(self._caught_up_at, ends.taken_at)
                self.has_caught_up = True

    def _ask_for_ends(self) -> Ends:
        self._topic = self._topic or self._ask()
        taken_at = self._clock()
        info = self._topic.describe()
        logs = self._topic.logs(range(info.partitions))
        if self.ends and self.ends.topic_id != info.id:
            self._topic = None  # its client remembers things of the old topic
        return Ends(info.id, {partition: log.end for partition, log in logs.items()}, taken_at)


def _covers(positions: Mapping[int, Position], ends: Ends) -> bool:
    return all(_next(positions, p, ends.topic_id) >= end for p, end in ends.offsets.items())


def _next(positions: Mapping[int, Position], partition: int, topic_id: str) -> int:
    """Return the next offset of a partition; 0 when it was never read, or was another topic's."""
    found = positions.get(partition)
    return found.next_offset if found and found.topic_id == topic_id else 0
