"""One session in the consumer group: from joining it to an error of Kafka's client, or to another topic.

Only the table of positions knows how far a partition has been applied. After anything that leaves that open (a new
assignment, an error of the database, a fence) the partitions concerned stand still until the table has told.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from typing import Protocol

from projector.backoff import Backoff
from projector.readmodel.batch import Batch, Message, Slice
from projector.readmodel.placement import Log, Position
from projector.store.apply import Applied
from projector.store.database import DatabaseUnavailable, Refused
from projector.topic.kafka import KafkaUnavailable, Member, Read, Topic

logger = logging.getLogger(__name__)

POLL_S = 0.2
# How often the table is asked about partitions from which nothing comes: a restored database may have set them back.
CHECK_S = 5.0
# How long partitions are asked about one by one. Meanwhile nothing is read.
ASK_S = 3.0


class Store(Protocol):
    """The read models. Both methods raise DatabaseUnavailable, and `apply` Refused."""

    def find_places(
        self, topic_id: str, logs: Mapping[int, Log]
    ) -> dict[int, tuple[Position | None, Position]]: ...
    def apply(self, batch: Batch) -> Applied: ...


class TopicRecreated(Exception):
    """The topic is another one under the same name: clients remember things of the old one."""


class Session:
    """Reads what the group assigns and applies it. Each `step` ends within about POLL_S, or the timeouts of database
    and Kafka.

    assigned: all partitions that the client had at read_at, a moment of the clock. positions: the next offset of those
    that are being read. problem: why partitions stand still, or "".
    """

    def __init__(
        self, topic_id: str, member: Member, topic: Topic, store: Store, backoff: Backoff, clock: Callable[[], float]
    ) -> None:  # fmt: skip
        self._topic_id, self._member, self._topic, self._store = topic_id, member, topic, store
        self._backoff, self._clock = backoff, clock
        self._retry_at = self._check_at = clock()
        self.assigned: frozenset[int] = frozenset()
        self.read_at = clock()
        self.positions: dict[int, int] = {}
        self.problem = ""

    def step(self) -> Applied:
        """Read once and apply it. Raises KafkaUnavailable, TopicRecreated."""
        read = self._member.read(POLL_S)
        self.assigned, self.read_at = read.assigned, self._clock()
        placed = read.assigned - read.unplaced
        self.positions = {p: offset for p, offset in self.positions.items() if p in placed}
        due = slices(read, self.positions)
        if self._clock() >= self._check_at:
            self._check_at = self._clock() + CHECK_S
            due = {p: Slice(offset, offset, []) for p, offset in self.positions.items()} | due
        applied = self._apply(due)
        if read.unplaced and self._clock() >= self._retry_at:
            self._place(read.unplaced)
        return applied

    def _place(self, partitions: Set[int]) -> None:
        """Let partitions go on from where the table says."""
        try:
            if self._topic.describe().id != self._topic_id:
                raise TopicRecreated
            logs, problem = self._ask(partitions)
            found = self._store.find_places(self._topic_id, logs)
        except (KafkaUnavailable, DatabaseUnavailable) as error:
            self._stand_still(partitions, str(error))
            return
        for partition, (before, now) in sorted(found.items()):
            _tell(partition, before, now)
        offsets = {partition: now.next_offset for partition, (_, now) in found.items()}
        self._member.begin(offsets)
        self.positions |= offsets
        if without := partitions - offsets.keys():
            self._stand_still(without, problem)
        else:
            self.problem = ""

    def _ask(self, partitions: Set[int]) -> tuple[dict[int, Log], str]:
        """Return what Kafka has of those partitions that it answers for, and why the others are missing.

        Raises KafkaUnavailable when these are all. One that has no leader has the question about all refused.
        """
        try:
            return self._topic.logs(partitions), ""
        except KafkaUnavailable as error:
            problem = str(error)
        logs: dict[int, Log] = {}
        end = self._clock() + ASK_S
        for partition in sorted(partitions):
            if self._clock() < end:
                with suppress(KafkaUnavailable):
                    logs |= self._topic.logs([partition])
        if not logs:
            raise KafkaUnavailable(problem)
        return logs, problem

    def _apply(self, due: Mapping[int, Slice]) -> Applied:
        if not due:
            return Applied()
        try:
            applied = apply_or_park(self._store, Batch(self._topic_id, due))
        except DatabaseUnavailable as error:
            self._stand_still(self.positions, str(error))
            return Applied()
        self._backoff.reset()
        self.positions |= applied.next_offsets
        if applied.fenced:
            logger.warning("Others have gone on from where we were, in partitions %s", sorted(applied.fenced))
            self._member.pause(applied.fenced)
        self._member.tell_offsets(applied.next_offsets)
        return applied

    def _stand_still(self, partitions: Iterable[int], problem: str) -> None:
        self._member.pause(partitions)
        self._retry_at = self._clock() + self._backoff.next_s()
        if problem != self.problem:
            logger.warning("Standing still: %s", problem)
        self.problem = problem


def slices(read: Read, positions: Mapping[int, int]) -> dict[int, Slice]:
    """Return what was read of each partition from its position on. Partitions without a position are left out."""
    messages: dict[int, list[Message]] = defaultdict(list)
    for message in read.messages:
        if message.offset >= positions.get(message.partition, message.offset + 1):
            messages[message.partition].append(message)
    found = {}
    for partition, begin in positions.items():
        own = messages.get(partition, [])
        end = max(begin, own[-1].offset + 1 if own else 0, read.ends.get(partition, 0))
        if end > begin:
            found[partition] = Slice(begin, end, own)
    return found


def apply_or_park(store: Store, batch: Batch) -> Applied:
    """Apply a batch; where the database refuses a message, apply all others and park that one.

    Raises DatabaseUnavailable, and Refused when not even a message's parking is taken.
    """
    try:
        return store.apply(batch)
    except Refused as error:
        if batch.size <= 1:
            return store.apply(batch.refused(str(error)))
    applied = Applied()
    for half in batch.halves():
        applied.add(apply_or_park(store, half))
    return applied


def _tell(partition: int, before: Position | None, now: Position) -> None:
    if before is not None and now.recreated > before.recreated:
        logger.warning(
            "Partition %s belongs to a topic that was created again; it is read from its beginning", partition
        )
    skipped = now.skipped - (before.skipped if before else 0)
    if skipped:
        logger.warning(
            "Kafka no longer has %s offsets of partition %s that were not read", skipped, partition
        )
    logger.info("Partition %s goes on at %s", partition, now.next_offset)
