"""How far the topic went at one moment, asked of the brokers without waiting."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec

REQUEST_S = 5.0

Positions = dict[int, int]


class EndOffsets:
    """One question at a time: "where do the partitions end now?"."""

    def __init__(self, admin: AdminClient, topic: str, clock: Callable[[], float]):
        self._admin, self._topic, self._clock = admin, topic, clock
        self._asked_at = 0.0
        self._answers: dict[int, Future[ListOffsetsResultInfo]] = {}

    def ask(self, partitions: Sequence[int]) -> bool:
        """Ask the brokers; return False while an earlier question is open."""
        if self._answers:
            return False
        wanted: dict[TopicPartition, Any] = {
            TopicPartition(self._topic, number): OffsetSpec.latest() for number in partitions
        }
        self._asked_at = self._clock()
        answers = self._admin.list_offsets(wanted, request_timeout=REQUEST_S)
        self._answers = {partition.partition: answer for partition, answer in answers.items()}
        return True

    def reached_at(self, positions: Positions) -> float | None:
        """Return when the question was asked, once `positions` have come to the ends it was answered with.

        None until then. Raises KafkaException when the question failed.
        """
        if not self._answers or not all(answer.done() for answer in self._answers.values()):
            return None
        ends = {number: answer.result().offset for number, answer in self._answers.items()}
        if any(positions[number] < end for number, end in ends.items()):
            return None
        self._answers = {}
        return self._asked_at
