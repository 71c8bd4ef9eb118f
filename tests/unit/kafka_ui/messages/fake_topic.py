"""A topic in memory: an OpenReader whose readers give a few messages at a time."""

from collections.abc import Mapping
from typing import Self

from kafka_ui.messages.kafka import Read
from kafka_ui.messages.message import Message, keep
from kafka_ui.messages.reading import Range


class FakeTopic:
    """Messages by partition; an offset without one is a transaction marker. stuck: partitions that give nothing.

    opened: the offsets of each reader; open: how many readers are open now.
    """

    def __init__(self, *messages: Message, ends: Mapping[int, int] | None = None) -> None:
        self.messages = sorted(messages, key=lambda message: message.offset)
        self.ends = {message.partition: message.offset + 1 for message in self.messages} | dict(ends or {})
        self.stuck: set[int] = set()
        self.opened: list[dict[int, int]] = []
        self.open = 0

    @property
    def ranges(self) -> dict[int, Range]:
        """The offsets of each partition."""
        return {partition: Range(0, end) for partition, end in self.ends.items()}

    def __call__(self, topic: str, offsets: Mapping[int, int], kept_bytes: int) -> "FakeReader":
        self.opened.append(dict(offsets))
        return FakeReader(self, offsets)


class FakeReader:
    """Gives three messages at a time, then where each partition ends."""

    def __init__(self, topic: FakeTopic, offsets: Mapping[int, int]) -> None:
        self._topic, self._offsets = topic, dict(offsets)

    def __enter__(self) -> Self:
        self._topic.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._topic.open -= 1

    def read(self, timeout_s: float) -> Read:
        """Return the next messages."""
        flowing = {each: at for each, at in self._offsets.items() if each not in self._topic.stuck}
        found = [
            message
            for message in self._topic.messages
            if message.partition in flowing and message.offset >= flowing[message.partition]
        ][:3]
        for message in found:
            self._offsets[message.partition] = message.offset + 1
        ends = {} if found else {each: self._topic.ends[each] for each in flowing}
        return Read(found, ends, set())


def message(
    partition: int,
    offset: int,
    at: int,
    key: bytes | None = b"k",
    value: bytes | None = b"{}",
    event: bytes = b"e",
) -> Message:
    """Return a message. at: its timestamp in milliseconds; event: its header `id`."""
    headers = (("id", keep(event, 100)),)
    return Message(partition, offset, at, keep(key, 100), keep(value, 1000), headers, 1)
