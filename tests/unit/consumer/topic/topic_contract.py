"""What the tail, the history and the freshness monitor rely on, asked of the topic in memory and of real brokers alike.

A subclass has the fixture `log`: a topic of three partitions."""

import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Protocol, TypeVar

import pytest

from consumer.topic.kafka import Admin, KafkaUnavailable, OpenReader, Reader
from tests.eventually import eventually

T = TypeVar("T")


def answer(ask: Callable[[], T]) -> T:
    """Return Kafka's first answer: of a new topic not every broker knows at once, and a busy one is late."""
    return eventually(lambda: [ask()], not_yet=KafkaUnavailable)[0]


class Log(Protocol):
    """A topic of three partitions, and how it is changed. admin, open_reader: what is asked of it."""

    @property
    def admin(self) -> Admin: ...
    @property
    def open_reader(self) -> OpenReader: ...
    def put(self, partition: int, *values: bytes | None) -> None: ...
    def delete_before(self, partition: int, offset: int) -> None: ...
    def put_aborted(self, partition: int, value: bytes) -> None:
        """Put a message in a transaction that is aborted: both take an offset, and nobody is given either."""

    def hold_back(self, partition: int) -> None:
        """Begin a transaction at the end of the partition that stays open: nobody is given what follows."""


class Given:
    """What a reader has given, by partition, and what it said of the ends."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.records: dict[int, list[tuple[int, bytes | None]]] = defaultdict(list)
        self.ends: dict[int, int] = {}
        self.out_of_range: set[int] = set()

    def read(self) -> bool:
        """Read once more. An end is told only when all before it was given."""
        read = self._reader.read(0.1)
        for record in read.records:
            self.records[record.partition].append((record.offset, record.value))
        for partition, end in read.end_offsets.items():
            assert all(offset < end for offset, _ in self.records[partition])
            self.ends[partition] = end
        self.out_of_range |= read.out_of_range
        return True

    def until_ends(self, *ends: int) -> None:
        """Read until each partition was read up to its end, and once more."""
        eventually(lambda: self.read() and self.ends == dict(enumerate(ends)))
        self.read()


class TopicContract:
    """The suite; pytest collects it where a subclass is called Test…"""

    @pytest.fixture
    def log(self) -> Log:
        raise NotImplementedError

    def given(self, log: Log, offsets: Sequence[int], *ends: int) -> Given:
        """Return what a reader gives from these offsets up to these ends."""
        with closing(log.open_reader(offsets)) as reader:
            given = Given(reader)
            given.until_ends(*ends)
        return given

    def test_reader_gives_everything_from_its_offsets_in_order(self, log: Log) -> None:
        log.put(0, b"a", b"b", b"c")
        log.put(1, b"x", b"y")
        given = self.given(log, [1, 0, 0], 3, 2, 0)
        assert dict(given.records) == {0: [(1, b"b"), (2, b"c")], 1: [(0, b"x"), (1, b"y")], 2: []}
        assert given.out_of_range == set()

    def test_message_without_a_value_is_given(self, log: Log) -> None:
        log.put(0, None, b"", b"a")
        assert self.given(log, [0, 0, 0], 3, 0, 0).records[0] == [(0, None), (1, b""), (2, b"a")]

    def test_end_is_told_again_after_what_comes_later(self, log: Log) -> None:
        log.put(0, b"a")
        with closing(log.open_reader([0, 0, 0])) as reader:
            given = Given(reader)
            given.until_ends(1, 0, 0)
            log.put(0, b"b")
            log.put(2, b"z")
            given.until_ends(2, 0, 1)
        assert dict(given.records) == {0: [(0, b"a"), (1, b"b")], 1: [], 2: [(0, b"z")]}

    def test_offset_behind_the_end_is_out_of_range(self, log: Log) -> None:
        log.put(0, b"a")
        with closing(log.open_reader([5, 0, 0])) as reader:
            given = Given(reader)
            eventually(lambda: given.read() and given.out_of_range)
        assert given.out_of_range == {0}
        assert given.records[0] == []

    def test_offset_that_retention_has_passed_is_out_of_range(self, log: Log) -> None:
        log.put(0, b"a", b"b", b"c")
        log.delete_before(0, 2)
        with closing(log.open_reader([1, 0, 0])) as reader:
            given = Given(reader)
            eventually(lambda: given.read() and given.out_of_range)
        assert given.out_of_range == {0}
        assert given.records[0] == []

    def test_aborted_messages_are_not_given_and_passed_over(self, log: Log) -> None:
        log.put(0, b"a")
        log.put_aborted(0, b"never")
        log.put(0, b"b")
        log.put_aborted(0, b"never")
        given = self.given(log, [0, 0, 0], 6, 0, 0)
        assert given.records[0] == [(0, b"a"), (3, b"b")]

    def test_open_transaction_holds_back_what_follows(self, log: Log) -> None:
        log.put(0, b"a")
        log.hold_back(0)
        log.put(0, b"later")
        assert self.given(log, [0, 0, 0], 1, 0, 0).records[0] == [(0, b"a")]
        assert answer(lambda: log.admin.stable_offsets(3)) == (1, 0, 0)
        assert answer(lambda: log.admin.end_offsets(3)) == (3, 0, 0)

    def test_offsets_are_told_of_every_partition(self, log: Log) -> None:
        log.put(0, b"a", b"b", b"c")
        log.put(2, b"z")
        log.delete_before(0, 2)
        assert answer(lambda: log.admin.beginning_offsets(3)) == (2, 0, 0)
        assert answer(lambda: log.admin.end_offsets(3)) == (3, 0, 1)
        assert answer(lambda: log.admin.stable_offsets(3)) == (3, 0, 1)

    def test_topic_has_an_id_as_positions_bear_it(self, log: Log) -> None:
        topic = answer(log.admin.describe)
        assert topic.partitions == 3
        assert re.fullmatch("[A-Za-z0-9_-]{22}", topic.id)
        assert answer(log.admin.describe) == topic

    def test_unknown_partition_is_no_answer(self, log: Log) -> None:
        with pytest.raises(KafkaUnavailable):
            log.admin.end_offsets(4)


def new_transaction_id() -> str:
    return uuid.uuid4().hex
