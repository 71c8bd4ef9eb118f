"""How far each partition goes at one moment, asked of the brokers without waiting."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec

logger = logging.getLogger(__name__)

REQUEST_S = 5.0
STUCK_S = 30.0

Positions = dict[int, int]


class LogCutBack(KafkaException):
    """A log ends before what was read of it."""


class _Question(NamedTuple):
    """position: how far the partition had been read when it was asked."""

    asked_at: float
    position: int
    answer: "Future[ListOffsetsResultInfo]"


class EndOffsets:
    """For each partition one question at a time: "where does it end now?".

    Each partition is asked on its own: one answer for all would come when the slowest leader has answered.
    """

    def __init__(self, admin: AdminClient, topic: str, clock: Callable[[], float]):
        self._admin, self._topic, self._clock = admin, topic, clock
        self._open: dict[int, _Question] = {}
        self._silent: set[int] = set()

    def ask(self, positions: Mapping[int, int], stuck_s: float = STUCK_S) -> set[int]:
        """Ask about those partitions that have no open question, or one that is that old; return them.

        positions: how far each was read."""
        now = self._clock()
        asked = {
            number
            for number in positions
            if (question := self._open.get(number)) is None or now - question.asked_at >= stuck_s
        }
        for number in asked:
            self._open[number] = _Question(now, positions[number], self._request(number))
        return asked

    def reached(self, positions: Mapping[int, int]) -> dict[int, float]:
        """Return, of each partition that `positions` show read up to its answer, when its question was asked.

        Raises LogCutBack: a consumer to which nothing comes is not told of it, and its position is no proof then."""
        reached = {}
        for number, question in list(self._open.items()):
            if not question.answer.done():
                continue
            end = self._end(number, question)
            if end is not None and end < question.position:
                what = f"Partition {number} ends at {end} and was read up to {question.position}"
                raise LogCutBack(KafkaError(KafkaError._LOG_TRUNCATION, what))
            if end is None or positions[number] >= end:
                del self._open[number]
            if end is not None and positions[number] >= end:
                reached[number] = question.asked_at
        return reached

    def unreached(self) -> list[int]:
        """Return the partitions that had not been read up to their answers when reached() was called last."""
        return [number for number, question in self._open.items() if question.answer.done()]

    def unanswered(self) -> list[int]:
        """Return the partitions whose question is open."""
        return [number for number, question in self._open.items() if not question.answer.done()]

    def _request(self, partition: int) -> "Future[ListOffsetsResultInfo]":
        """Ask for the end that the consumer reads to: behind an open transaction it gets no further."""
        wanted: dict[TopicPartition, Any] = {TopicPartition(self._topic, partition): OffsetSpec.latest()}
        (answer,) = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=REQUEST_S
        ).values()
        return answer

    def _end(self, partition: int, question: _Question) -> int | None:
        """Return the answer, or None when it is none: an offset below 0 comes when a leader has disappeared."""
        try:
            end: int = question.answer.result().offset
            if end < 0:
                raise KafkaException(
                    KafkaError(KafkaError._INVALID_ARG, f"the end offset was given as {end}")
                )
        except KafkaException as error:
            if partition not in self._silent:
                logger.warning("Partition %d does not say how far it goes: %s", partition, error)
            self._silent.add(partition)
            return None
        self._silent.discard(partition)
        return end
