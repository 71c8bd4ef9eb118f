"""A member of the consumer group on a real topic, where Kafka does not have what it wants to read."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from projector.topic.kafka import GroupMember, member_settings
from tests.eventually import eventually
from tests.integration.projector.conftest import PARTITIONS, Topic

READY_S = 60


@pytest.fixture
def member(kafka: str, topic: Topic) -> Iterator[GroupMember]:
    settings = member_settings(kafka, topic.name, "one", 10)
    with closing(GroupMember(settings, topic.name, 100)) as member:
        eventually(lambda: len(member.read(0.1).assigned) == PARTITIONS, READY_S)
        yield member


@pytest.fixture
def read_from(member: GroupMember) -> Callable[[int, int], list[int]]:
    """Read partition 1 from an offset on, up to the message with another one; return the offsets of the messages."""

    def read_from(first: int, last: int) -> list[int]:
        member.begin({1: first})
        found: list[int] = []

        def is_read() -> bool:
            found.extend(message.offset for message in member.read(0.1).messages)
            return last in found

        eventually(is_read, READY_S)
        return found

    return read_from


def lose(member: GroupMember) -> None:
    """Wait until the member has been told that Kafka does not have its next offset."""
    eventually(lambda: 1 in member.read(0.1).unplaced, READY_S)


def put(topic: Topic, count: int) -> None:
    for number in range(count):
        topic.send(str(number).encode(), b"key", 1)
    topic.flush()


def test_partition_is_read_on_after_its_next_offset_was_not_there(
    topic: Topic, member: GroupMember, read_from: Callable[[int, int], list[int]]
) -> None:
    """Twice: once before anything was read of it, and once in the middle."""
    put(topic, 20)
    topic.delete_before(1, 10)
    member.begin({1: 0})
    lose(member)
    assert read_from(12, 19) == list(range(12, 20))
    put(topic, 20)
    topic.delete_before(1, 30)
    member.pause([1])
    member.begin({1: 21})
    lose(member)
    assert read_from(30, 39) == list(range(30, 40))


def test_partition_can_be_paused_and_placed_again_where_it_was_begun_anew(
    topic: Topic, member: GroupMember, read_from: Callable[[int, int], list[int]]
) -> None:
    put(topic, 20)
    topic.delete_before(1, 10)
    member.begin({1: 0})
    lose(member)
    assert read_from(10, 19) == list(range(10, 20))
    member.pause([1])
    assert 1 in member.read(0).unplaced
    assert read_from(15, 19) == list(range(15, 20))
