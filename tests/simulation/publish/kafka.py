"""Kafka as the publish side meets it: one topic, and clients whose answers come when the plan says so."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicCollection, TopicPartition

from producer.domain.partitioner import partition_of
from producer.publishing.produce import OnDelivery

TOPIC = "orders"
ODD_HEADERS: tuple[Any, ...] = (
    None, [], [("id", None)], [("id", "text")], [("id", b"\xff\xfe")], [("ID", b"1")], SystemError("not UTF-8"),
)  # fmt: skip


@dataclass
class Message:
    """A message in a log, as a consumer is given it. headers: may be an exception, raised when they are read."""

    key: bytes
    value: bytes
    headers_: Any
    at: float = 0.0
    partition_: int = -1
    offset_: int = -1
    error_: KafkaError | None = None

    @property
    def id(self) -> str:
        """The event's id, of a message of ours."""
        return str(self.headers_[0][1])

    def error(self) -> KafkaError | None:
        return self.error_

    def partition(self) -> int:
        return self.partition_

    def offset(self) -> int:
        return self.offset_

    def headers(self) -> Any:
        if isinstance(self.headers_, Exception):
            raise self.headers_
        return [
            (name, value.encode() if name == "id" and isinstance(value, str) else value)
            for name, value in self.headers_ or []
        ]


@dataclass
class Partition:
    """A log; `None` in it is a transaction marker. given: up to where some consumer was given messages."""

    log: list[Message | None] = field(default_factory=list)
    has_leader: bool = True
    given: int = 0


@dataclass(eq=False)
class Copy:
    """A message between a client and the log."""

    client: "Producer"
    message: Message
    on_delivery: OnDelivery | None


@dataclass(eq=False)
class Question:
    """A question to the brokers. early: what they would have answered when it was asked. now: what they answer now."""

    about: str
    partition: int
    early: Any
    now: Callable[[], Any]
    answer: "Answer"


class Answer:
    """A Future, as the admin client returns it."""

    def __init__(self) -> None:
        self._outcome: Any = None
        self._is_done = False

    def done(self) -> bool:
        return self._is_done

    def result(self) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def set(self, outcome: Any) -> None:
        self._outcome, self._is_done = outcome, True


class Kafka:
    """The cluster. clock: its clock. pause, wait: as in Postgres. appended: called for each message of ours."""

    def __init__(
        self,
        partitions: int,
        clock: Callable[[], float],
        pause: Callable[[str], None],
        wait: Callable[[Callable[[], bool], float, str], bool],
        appended: Callable[[Message], None],
    ) -> None:
        self.clock, self.pause, self.wait, self._appended = clock, pause, wait, appended
        self.partitions = [Partition() for _ in range(partitions)]
        self.copies: list[Copy] = []
        self.silent: list[Copy] = []
        self.questions: list[Question] = []
        self.consumers: list[Consumer] = []
        self.refused: set[str] = set()
        self.given_ids: set[str] = set()

    def append(self, message: Message) -> bool:
        """Append a copy of a message of ours; return False when its partition has no leader."""
        partition = self.partitions[message.partition_]
        if not partition.has_leader:
            return False
        stored = Message(
            message.key, message.value, message.headers_, self.clock(), message.partition_, len(partition.log)
        )
        partition.log.append(stored)
        self._appended(stored)
        return True

    def append_odd(self, number: int, kind: int) -> None:
        """Append a message of somebody else, or a transaction marker."""
        log = self.partitions[number].log
        headers = ODD_HEADERS[kind % len(ODD_HEADERS)]
        is_marker = kind >= len(ODD_HEADERS)
        log.append(None if is_marker else Message(b"", b"{}", headers, self.clock(), number, len(log)))

    def lose_tail(self, number: int, count: int) -> list[Message]:
        """Lose the last messages of a partition, of those that no consumer was given; return those of ours."""
        partition = self.partitions[number]
        end = max(partition.given, len(partition.log) - count)
        lost = [m for m in partition.log[end:] if m is not None and m.key]
        if end < len(partition.log):
            del partition.log[end:]
            for consumer in self.consumers:
                consumer.log_was_cut(number, end)
        return lost

    def grow(self) -> None:
        """Add a partition. Clients learn of it when they next ask."""
        self.partitions.append(Partition())

    def ours(self) -> list[Message]:
        """Return the messages of ours, of all partitions."""
        return [m for partition in self.partitions for m in partition.log if m is not None and m.key]

    def metadata(self) -> Any:
        partitions = {
            number: SimpleNamespace(
                id=number, leader=1 if partition.has_leader else -1, error=None,
                isrs=[1, 2] if partition.has_leader else [2],
            )
            for number, partition in enumerate(self.partitions)
        }  # fmt: skip
        return SimpleNamespace(topics={TOPIC: SimpleNamespace(error=None, partitions=partitions)})

    def end(self, number: int) -> int:
        return len(self.partitions[number].log)

    # What happens to a copy

    def deliver(self, copy: Copy, how: str) -> str:
        """Let a copy meet its fate; return what happened, in words."""
        message = copy.message
        if message.id in self.refused:
            mates = [
                mate for mate in self.copies
                if mate.client is copy.client and mate.message.partition_ == message.partition_
            ]  # fmt: skip
            for each in mates if copy.client.is_batching else [copy]:
                self._end(each, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
            return "is refused for its size, with its batch" if len(mates) > 1 else "is refused for its size"
        if how == "refused" and copy.client.is_batching:
            self._end(copy, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
            return "is refused with its batch"
        timed_out = KafkaError(KafkaError._MSG_TIMED_OUT)
        if how == "lost" or (how in ("ok", "silent", "timed out") and not self._has_leader(message)):
            if how == "ok":
                return ""  # it waits for a leader
            self._end(copy, timed_out)
            return "times out"
        if how == "late":
            if copy.on_delivery is None:
                return ""
            self._end(copy, timed_out)
            self.copies.append(Copy(copy.client, message, None))
            return "times out for its client, and is still on its way"
        if not self.append(message):
            return ""
        if how == "twice":
            self.append(message)
        if how == "timed out":
            self._end(copy, timed_out)
            return "is appended, and times out for its client"
        if how == "silent":
            self.copies.remove(copy)
            self.silent.append(copy)
            return "is appended, and its client never hears of it"
        self._end(copy, None)
        return "is appended twice" if how == "twice" else "is appended"

    def end_silence(self) -> None:
        """Tell the clients that wait for an answer that it has not come: librdkafka gives up at last."""
        for copy in self.silent:
            if copy.on_delivery is not None:
                copy.client.report(copy, KafkaError(KafkaError._MSG_TIMED_OUT))
        self.silent.clear()

    def _has_leader(self, message: Message) -> bool:
        return self.partitions[message.partition_].has_leader

    def _end(self, copy: Copy, error: KafkaError | None) -> None:
        self.copies.remove(copy)
        if copy.on_delivery is not None:
            copy.client.report(copy, error)

    def reply(self, question: Question, how: str) -> str:
        """Answer a question; return the answer in words."""
        self.questions.remove(question)
        if how == "error":
            question.answer.set(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
            return "an error"
        if how == "-1001" and question.about == "end":
            question.answer.set(SimpleNamespace(offset=-1001))
            return "-1001"
        value = question.early if how == "early" else question.now()
        question.answer.set(value)
        return str(value.offset) if question.about == "end" else f"{len(value.partitions)} partitions"


class Producer:
    """A confluent_kafka.Producer.

    is_batching: several events may be in one request, so one may be refused for another's sake. reports_success:
    without it, only failures are reported. room: how many events fit into its queue.
    """

    def __init__(
        self,
        kafka: Kafka,
        owner: Any,
        *,
        is_batching: bool = True,
        reports_success: bool = True,
        room: int = 1000,
        produced: Callable[[Any, Message], None] = lambda owner, message: None,
    ) -> None:
        self._kafka, self.owner, self.is_batching = kafka, owner, is_batching
        self._reports_success, self._room, self._produced = reports_success, room, produced
        self._partitions = len(kafka.partitions)
        self._reports: deque[tuple[OnDelivery, KafkaError | None, Any]] = deque()
        self.waiting = 0
        self.is_unusable = self._tells_end = False

    def break_down(self) -> None:
        """Become unusable for good, as an idempotent producer does that has lost its place."""
        if not self.is_unusable:
            self.is_unusable = self._tells_end = True

    def produce(
        self, topic: str, value: bytes, key: bytes, partition: int = -1,
        *, headers: list[tuple[str, Any]], on_delivery: OnDelivery,
    ) -> None:  # fmt: skip
        if self.is_unusable:
            raise KafkaException(KafkaError(KafkaError._FATAL))
        if self.waiting >= self._room:
            raise BufferError("Local: Queue full")
        message = Message(key, value, headers)
        message.partition_ = partition if partition >= 0 else partition_of(key.decode(), self._partitions)
        self._produced(self.owner, message)
        self.waiting += 1
        self._kafka.copies.append(Copy(self, message, on_delivery))
        self._kafka.pause("after produce")

    def report(self, copy: Copy, error: KafkaError | None) -> None:
        """Queue a delivery report, for the next poll."""
        assert copy.on_delivery is not None
        if error is None and not self._reports_success:
            self.waiting -= 1
            return
        self._reports.append((copy.on_delivery, error, copy.message))

    def poll(self, timeout: float) -> int:
        """Serve what has been reported, waiting for it if need be."""
        if timeout and not self._reports:
            self._kafka.wait(lambda: bool(self._reports) or self._tells_end, timeout, "a delivery report")
        if self._tells_end:
            self._tells_end = False
            raise KafkaException(KafkaError(KafkaError._FATAL))
        served = 0
        while self._reports:
            on_delivery, error, message = self._reports.popleft()
            self.waiting -= 1
            on_delivery(error, message)
            served += 1
        self._kafka.pause("after delivery reports")
        return served

    def flush(self, timeout: float) -> int:
        self.poll(0)
        return self.waiting

    def __len__(self) -> int:
        return self.waiting

    def list_topics(self, topic: str, timeout: float) -> Any:
        return self._kafka.metadata()

    def refresh(self) -> None:
        """Learn how many partitions there are, as clients do from time to time."""
        self._partitions = len(self._kafka.partitions)


class Consumer:
    """A confluent_kafka.Consumer with partitions that it was assigned."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.positions: dict[int, int] = {}
        self._at_end: dict[int, int] = {}
        self._was_cut: set[int] = set()
        self.is_silent = False
        kafka.consumers.append(self)

    def close(self) -> None:
        if self in self._kafka.consumers:
            self._kafka.consumers.remove(self)

    def list_topics(self, topic: str, timeout: float) -> Any:
        self._kafka.pause("before list_topics")
        metadata = self._kafka.metadata()
        self._kafka.pause("after list_topics")
        return metadata

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        self._kafka.pause("before get_watermark_offsets")
        self._require_leader(partition.partition, timeout)
        end = self._kafka.end(partition.partition)
        self._kafka.pause("after get_watermark_offsets")
        return 0, end

    def offsets_for_times(self, wanted: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self._kafka.pause("before offsets_for_times")
        found = []
        for each in wanted:
            self._require_leader(each.partition, timeout)
            log = self._kafka.partitions[each.partition].log
            first = next((m.offset_ for m in log if m and m.at * 1000 >= each.offset), OFFSET_END)
            found.append(TopicPartition(TOPIC, each.partition, first))
        self._kafka.pause("after offsets_for_times")
        return found

    def _require_leader(self, number: int, timeout: float) -> None:
        partition = self._kafka.partitions[number]
        if not self._kafka.wait(lambda: partition.has_leader, timeout, f"the leader of partition {number}"):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self.positions, self._at_end, self._was_cut = {}, {}, set()
        self.incremental_assign(partitions)

    def incremental_assign(self, partitions: Iterable[TopicPartition]) -> None:
        self.positions |= {each.partition: each.offset for each in partitions}
        self._was_cut |= {number for number, at in self.positions.items() if at > self._kafka.end(number)}

    def log_was_cut(self, number: int, end: int) -> None:
        """Notice, by its leader's epoch, that the log ends before the position (KIP-320)."""
        if self.positions.get(number, 0) > end:
            self._was_cut.add(number)

    def poll(self, timeout: float) -> Message | None:
        if (message := self._next()) is None and timeout:
            self._kafka.wait(self._has_next, timeout, "a message")
            message = self._next()
        self._kafka.pause("after poll")
        return message

    def consume(self, limit: int, timeout: float) -> list[Message]:
        found: list[Message] = []
        while len(found) < limit and (message := self._next()) is not None:
            found.append(message)
        return found

    def _has_next(self) -> bool:
        return not self.is_silent and any(
            number in self._was_cut
            or (self._kafka.partitions[number].has_leader and (
                at < self._kafka.end(number) or self._at_end.get(number) != at
            ))
            for number, at in self.positions.items()
        )  # fmt: skip

    def _next(self) -> Message | None:
        for number, at in [] if self.is_silent else self.positions.items():
            partition = self._kafka.partitions[number]
            if number in self._was_cut:
                self._was_cut.discard(number)
                return _failure(number, at, KafkaError._AUTO_OFFSET_RESET)
            if not partition.has_leader:
                continue
            while at < len(partition.log) and partition.log[at] is None:
                at += 1
            if at < len(partition.log):
                self.positions[number] = at + 1
                partition.given = max(partition.given, at + 1)
                message = partition.log[at]
                assert message is not None
                if message.key:
                    self._kafka.given_ids.add(message.id)
                return message
            self.positions[number] = at
            if self._at_end.get(number) != at:
                self._at_end[number] = at
                return _failure(number, at, KafkaError._PARTITION_EOF)
        return None


def _failure(number: int, offset: int, code: int) -> Message:
    return Message(b"", b"", None, partition_=number, offset_=offset, error_=KafkaError(code))


class Admin:
    """A confluent_kafka.admin.AdminClient: its questions stay open until the plan answers them."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def list_offsets(
        self, wanted: Mapping[TopicPartition, Any], **options: Any
    ) -> dict[TopicPartition, Answer]:
        return {each: self._ask_end(each.partition) for each in wanted}

    def _ask_end(self, number: int) -> Answer:
        def now() -> Any:
            return SimpleNamespace(offset=self._kafka.end(number))

        question = Question("end", number, now(), now, Answer())
        self._kafka.questions.append(question)
        return question.answer

    def describe_topics(self, topics: TopicCollection, **options: Any) -> dict[str, Answer]:
        def now() -> Any:
            partitions = [SimpleNamespace(id=number) for number in range(len(self._kafka.partitions))]
            return SimpleNamespace(partitions=partitions, topic_id="one")

        question = Question("topic", -1, now(), now, Answer())
        self._kafka.questions.append(question)
        return {TOPIC: question.answer}
