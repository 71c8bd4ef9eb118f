"""A topic in memory, with the parts of confluent_kafka's clients that the read-back uses."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec

TOPIC = "orders"


class FakeMessage:
    """A message as `Consumer.poll` returns it."""

    def __init__(self, partition: int, offset: int, headers: Any):
        self._partition, self._offset, self._headers = partition, offset, headers
        self._asked = 0

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return self._headers if isinstance(self._headers, KafkaError) else None

    def headers(self) -> Any:
        if isinstance(self._headers, BaseException):
            self._asked += 1
            assert self._asked == 1, "asked twice, the real client crashes the process"
            raise self._headers
        return self._headers


class FakeTopic:
    """Partitions, and which of them have no leader that answers. refusing: those whose leader answers with an error.

    stuck: those of which nothing comes to any consumer."""

    def __init__(self, partitions: int = 2):
        self.logs: dict[int, list[Any]] = {number: [] for number in range(partitions)}
        self.unreachable: set[int] = set()
        self.refusing: set[int] = set()
        self.stuck: set[int] = set()
        self.consumers: list[FakeConsumer] = []
        self.topic_id = "one"

    def append(self, partition: int, event_id: str) -> None:
        self.logs[partition].append([("id", event_id.encode())])

    def append_headers(self, partition: int, headers: Any) -> None:
        self.logs[partition].append(headers)

    def new_consumer(self) -> "FakeConsumer":
        self.consumers.append(FakeConsumer(self))
        return self.consumers[-1]

    def new_admin(self) -> "FakeAdmin":
        return FakeAdmin(self)

    def require_leader(self, partition: int) -> None:
        if partition in self.unreachable:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"partition {partition}"))


class FakeConsumer:
    """is_silent: nothing comes any more, and no error either.

    Like the real one, it tells of the end of a partition by a message with an error; not behind a batch that it cannot
    unpack."""

    def __init__(self, topic: FakeTopic):
        self.is_silent = False
        self.topic = topic
        self.ends_told: dict[int, int] = {}
        self.positions: dict[int, int] = {}
        self.closed = False

    def list_topics(self, topic: str, timeout: float) -> Any:
        partitions = {number: SimpleNamespace(leader=1, error=None) for number in self.topic.logs}
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=partitions)})

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        self.topic.require_leader(partition.partition)
        return 0, len(self.topic.logs[partition.partition])

    def offsets_for_times(self, wanted: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        for each in wanted:
            self.topic.require_leader(each.partition)
        return [TopicPartition(each.topic, each.partition, self._first(each.partition)) for each in wanted]

    def _first(self, partition: int) -> int:
        return 0 if self.topic.logs[partition] else OFFSET_END

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.positions = {each.partition: each.offset for each in partitions}

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self.positions |= {each.partition: each.offset for each in partitions}

    def poll(self, timeout: float) -> FakeMessage | None:
        for partition, offset in [] if self.is_silent else self.positions.items():
            if partition in self.topic.unreachable | self.topic.stuck:
                continue
            log = self.topic.logs[partition]
            if offset < len(log):
                self.positions[partition] += 1
                return FakeMessage(partition, offset, log[offset])
            is_behind_error = bool(log) and isinstance(log[-1], KafkaError)
            if offset == len(log) and self.ends_told.get(partition) != offset and not is_behind_error:
                self.ends_told[partition] = offset
                return FakeMessage(partition, offset, KafkaError(KafkaError._PARTITION_EOF))
        return None

    def consume(self, limit: int, timeout: float) -> list[FakeMessage]:
        found: list[FakeMessage] = []
        while len(found) < limit and (message := self.poll(0)) is not None:
            found.append(message)
        return found

    def close(self) -> None:
        self.closed = True


class FakeAdmin:
    """Answers at once; a question about an unreachable partition stays open."""

    def __init__(self, topic: FakeTopic):
        self.topic = topic

    def list_offsets(
        self, wanted: dict[TopicPartition, OffsetSpec], **options: Any
    ) -> dict[TopicPartition, Future[Any]]:
        answers: dict[TopicPartition, Future[Any]] = {each: Future() for each in wanted}
        for each, answer in answers.items():
            if each.partition in self.topic.refusing:
                answer.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
            elif each.partition not in self.topic.unreachable:
                answer.set_result(SimpleNamespace(offset=len(self.topic.logs[each.partition])))
        return answers

    def describe_topics(self, topics: TopicCollection, **options: Any) -> dict[str, Future[Any]]:
        answer: Future[Any] = Future()
        partitions = [SimpleNamespace(id=number) for number in self.topic.logs]
        answer.set_result(SimpleNamespace(partitions=partitions, topic_id=self.topic.topic_id))
        return {TOPIC: answer}
