"""The reader and the admin, on hand-written stand-ins for Kafka's clients."""

from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from consumer.topic.kafka import KafkaUnavailable, TopicAdmin, TopicReader


class FalsyMessage:
    """A confluent_kafka.Message is as long as its value: with a null or empty one it is falsy."""

    def __init__(self, offset: int, value: bytes | None) -> None:
        self._offset, self._value = offset, value

    def __len__(self) -> int:
        return len(self._value or b"")

    def error(self) -> None:
        return None

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 0

    def value(self) -> bytes | None:
        return self._value


class FakeConsumer:
    def __init__(self, messages: Sequence[FalsyMessage]) -> None:
        self._messages = list(messages)

    def poll(self, timeout: float) -> FalsyMessage | None:
        return self._messages.pop(0) if self._messages else None

    def consume(self, count: int, timeout: float) -> list[FalsyMessage]:
        taken, self._messages = self._messages[:count], self._messages[count:]
        return taken


@pytest.mark.parametrize("value", [None, b""])
def test_message_without_a_value_is_read_also_when_it_is_polled_first(value: bytes | None) -> None:
    reader = TopicReader.__new__(TopicReader)
    reader._consumer = FakeConsumer([FalsyMessage(7, value), FalsyMessage(8, b"x")])  # type: ignore[assignment]
    assert [record.offset for record in reader.read(0).records] == [7, 8]


def test_negative_offset_is_no_answer() -> None:
    """-1001, without an error, is what librdkafka gives for a partition whose leader has just gone."""
    admin = TopicAdmin("nowhere:1", "orders")

    class FakeAdmin:
        def list_offsets(self, wanted: dict[Any, Any], **options: object) -> dict[Any, Future[Any]]:
            futures = {partition: Future[Any]() for partition in wanted}
            for partition, future in futures.items():
                future.set_result(SimpleNamespace(offset=-1001 if partition.partition else 5))
            return futures

    admin._client = FakeAdmin()  # type: ignore[assignment]
    with pytest.raises(KafkaUnavailable, match="no leader"):
        admin.end_offsets(2)
