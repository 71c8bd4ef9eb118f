from uuid import UUID

from projector.readmodel.batch import Slice
from projector.topic.kafka import member_settings
from projector.topic.lone_reader import Until, lone_settings
from projector.topic.session import slices
from tests.order_events import Told
from tests.unit.projector.messages import log_of
from tests.unit.projector.topic.fake_kafka import FakeMember, FakeTopic

LOG = log_of(0, [Told(UUID(int=n)) for n in range(1, 7)])


def reading(ends: dict[int, int], batch: int = 1000) -> tuple[FakeMember, Until]:
    topic = FakeTopic()
    topic.append(*LOG)
    member = FakeMember(topic, batch)
    member.take((0, 1))
    until = Until(member, ends)
    until.begin({0: 2, 1: 0})
    return member, until


def test_what_is_behind_the_end_is_cut_off_and_not_read_any_more() -> None:
    member, until = reading({0: 4, 1: 0})
    assert slices(until.read(1), {0: 2, 1: 0}) == {0: Slice(2, 4, LOG[2:4])}
    assert member.halted == {0}


def test_end_is_reached_where_no_message_is_behind_it() -> None:
    _, until = reading({0: 6, 1: 0})
    assert slices(until.read(1), {0: 2, 1: 0}) == {0: Slice(2, 6, LOG[2:])}


def test_partition_that_ends_before_the_span_does_is_read_to_its_end() -> None:
    _, until = reading({0: 9, 1: 0})
    assert until.read(1).ends == {0: 6, 1: 0}


def test_what_is_read_and_how_is_as_in_the_group_but_nothing_is_committed() -> None:
    own, member = lone_settings("kafka:9092"), member_settings("kafka:9092", "g", "i", 10)
    differing = {name for name in member | own if own.get(name) != member.get(name)}
    assert differing == {
        "client.id",
        "group.id",
        "group.instance.id",
        "partition.assignment.strategy",
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "enable.auto.commit",
        "auto.commit.interval.ms",
    }
    assert (own["enable.auto.commit"], own["enable.auto.offset.store"]) == (False, False)
