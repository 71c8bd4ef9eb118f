"""A session goes on from where the table says, whatever has happened."""

from dataclasses import replace
from itertools import chain
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projector.backoff import Backoff, BackoffPolicy
from projector.readmodel.placement import Position
from projector.store.database import DatabaseUnavailable, Refused
from projector.topic.session import CHECK_S, Session, TopicRecreated, apply_or_park
from tests.clock import FakeClock
from tests.order_events import Told, orders, sums
from tests.unit.projector.fake_store import FakeStore
from tests.unit.projector.messages import TOPIC_ID, batch, log_of, message
from tests.unit.projector.topic.fake_kafka import FakeMember, FakeTopic

TOLD = [Told(UUID(int=n)) for n in range(1, 7)]
PAUSE_S = 2.0


class Instance:
    """A member of the group with its session, on a store that it shares with others."""

    def __init__(self, topic: FakeTopic, store: FakeStore, clock: FakeClock, batch: int = 1000) -> None:
        self.member = FakeMember(topic, batch)
        backoff = Backoff(BackoffPolicy(PAUSE_S, PAUSE_S), rand=lambda: 1.0)
        self.session = Session(TOPIC_ID, self.member, topic, store, backoff, clock)

    def steps(self, number: int) -> None:
        for _ in range(number):
            self.session.step()


class World:
    def __init__(self) -> None:
        self.topic, self.store, self.clock = FakeTopic(), FakeStore(), FakeClock()
        self.one = Instance(self.topic, self.store, self.clock)


@pytest.fixture
def world() -> World:
    world = World()
    world.topic.append(*log_of(0, TOLD[:3]), *log_of(1, TOLD[3:]))
    return world


def test_reads_what_is_assigned_from_where_the_table_says(world: World) -> None:
    world.store.positions[1] = Position(TOPIC_ID, 2)
    world.one.member.assign(0, 1)
    world.one.steps(2)
    assert world.one.member.seeks == [(0, 0), (1, 2)]
    assert world.store.sums() == sums([*TOLD[:3], TOLD[5]])
    assert world.one.session.positions == world.one.member.told == {0: 3, 1: 3}


def test_gaps_between_offsets_and_at_the_end_are_passed_over(world: World) -> None:
    """Compaction and the markers of transactions take offsets without a message."""
    world.one.member.assign(0)
    world.one.steps(2)
    world.topic.append(message(replace(TOLD[0], version=2, status="confirmed"), 0, 7))
    world.one.steps(1)
    assert world.store.positions[0].next_offset == 8
    world.topic.beginnings[0] = 8
    assert world.store.sums().events == 4


def test_database_away_the_partitions_stand_still_and_go_on_after_a_pause(world: World) -> None:
    world.one.member.assign(0)
    world.one.steps(1)
    world.store.failures = 2
    world.one.steps(1)
    assert world.one.session.problem == "the database is away"
    reads = world.one.member.reads
    world.one.steps(3)
    assert world.one.member.reads == reads + 3  # it is polled, or the group would give it up
    assert world.store.failures == 1  # but the database is left alone
    world.clock.now += PAUSE_S
    world.one.steps(1)
    assert world.store.failures == 0
    world.clock.now += PAUSE_S
    world.one.steps(2)
    assert world.one.session.problem == ""
    assert world.store.sums() == sums(TOLD[:3])


def test_commit_whose_answer_was_lost_is_neither_repeated_nor_skipped(world: World) -> None:
    world.one.member.assign(0)
    world.one.steps(1)
    world.store.failures, world.store.acknowledged = 1, False
    world.one.steps(1)
    world.store.acknowledged = True
    world.topic.append(message(replace(TOLD[0], version=2, status="confirmed"), 0, 3))
    world.clock.now += PAUSE_S
    world.one.steps(2)
    assert world.one.member.seeks == [(0, 0), (0, 3)]
    assert world.store.sums().events == 4


def test_zombie_is_fenced_and_goes_on_behind_the_other(world: World) -> None:
    world.one.member.assign(0)
    world.one.steps(1)
    two = Instance(world.topic, world.store, world.clock)
    two.member.assign(0)
    two.steps(2)
    world.one.steps(2)  # what it has read is applied already
    assert world.store.sums() == sums(TOLD[:3])
    assert world.one.member.seeks == [(0, 0), (0, 3)]


def test_positions_that_a_restore_has_set_back_are_noticed_although_nothing_comes(world: World) -> None:
    world.one.member.assign(0, 1)
    world.one.steps(2)
    world.store.positions[0] = Position(TOPIC_ID, 1)
    world.one.steps(3)
    assert world.store.positions[0].next_offset == 1
    world.clock.now += CHECK_S
    world.one.steps(3)
    assert {p: place.next_offset for p, place in world.store.positions.items()} == {0: 3, 1: 3}
    assert world.store.sums() == sums(TOLD)


def test_partition_that_is_taken_away_is_not_written(world: World) -> None:
    world.one.member.assign(0, 1)
    world.one.steps(1)
    world.one.member.revoke(1)
    world.one.steps(1)
    assert world.store.sums() == sums(TOLD[:3])
    assert world.one.session.positions == {0: 3}


def test_partition_that_cannot_be_sought_yet_is_tried_again(world: World) -> None:
    world.one.member.assign(0)
    world.one.member.not_seekable = {0}
    world.one.steps(2)
    assert world.store.sums().events == 0
    world.one.member.not_seekable = set()
    world.one.steps(2)
    assert world.store.sums() == sums(TOLD[:3])


def test_retention_that_overtakes_is_told(world: World) -> None:
    world.one.member.assign(0)
    world.one.steps(1)
    world.topic.beginnings[0] = 2
    world.topic.logs_of[0] = world.topic.logs_of[0][2:]
    world.one.steps(3)
    assert world.store.positions[0] == Position(TOPIC_ID, 3, skipped=2)
    assert world.store.sums() == sums(TOLD[2:3])


def test_topic_created_again_ends_the_session(world: World) -> None:
    world.topic.id = "topic-2"
    world.one.member.assign(0)
    with pytest.raises(TopicRecreated):
        world.one.steps(1)


def test_kafka_that_cannot_be_asked_is_asked_again(world: World) -> None:
    world.topic.down = True
    world.one.member.assign(0)
    world.one.steps(1)
    assert world.one.session.problem == "no answer"
    world.topic.down = False
    world.clock.now += PAUSE_S
    world.one.steps(2)
    assert world.store.sums() == sums(TOLD[:3])


def test_partition_without_a_leader_keeps_no_other_waiting(world: World) -> None:
    world.topic.leaderless = {0}
    world.one.member.assign(0, 1)
    world.one.steps(2)
    assert world.store.sums() == sums(TOLD[3:])
    assert world.one.session.problem == "no leader"
    world.topic.leaderless.clear()
    world.clock.now += PAUSE_S
    world.one.steps(2)
    assert world.store.sums() == sums(TOLD)
    assert world.one.session.problem == ""


def test_what_the_database_refuses_is_parked_with_its_order_and_all_else_applied(world: World) -> None:
    poison = Told(UUID(int=9), item="Poison")
    world.store.refused_item = "Poison"
    world.topic.append(
        message(poison, 0, 3),
        message(replace(poison, version=2, status="confirmed"), 0, 4),
        message(TOLD[5], 0, 5),
    )
    world.one.member.assign(0, 1)
    world.one.steps(2)
    assert world.store.sums() == sums(TOLD)
    assert [letter.message.offset for letter in world.store.letters] == [3, 4]
    assert world.store.letters[0].error == "the item is refused"


def test_refusal_of_a_parked_message_itself_is_an_error(world: World) -> None:
    class Refusing(FakeStore):
        def apply(self, batch: object) -> None:  # type: ignore[override]
            raise Refused("not even that")

    with pytest.raises(Refused):
        apply_or_park(Refusing(), batch(message(TOLD[0])))  # type: ignore[arg-type]
    world.store.failures = 1
    with pytest.raises(DatabaseUnavailable):
        apply_or_park(world.store, batch(message(TOLD[0])))


@given(st.data())
@settings(max_examples=100)
def test_two_instances_under_any_interleaving_of_faults_count_each_version_once(data: st.DataObject) -> None:
    """Partitions move, or are held by both for a while; the database fails, before or after it has committed."""
    topic, store, clock = FakeTopic(), FakeStore(), FakeClock()
    told = list(chain.from_iterable(orders(8, seed=data.draw(st.integers(0, 100)))))
    for each in told:
        partition = each.order_id.int % 2
        topic.append(message(each, partition, topic.end(partition) + data.draw(st.integers(0, 2))))
    instances = [Instance(topic, store, clock, batch=3), Instance(topic, store, clock, batch=2)]
    for _ in range(data.draw(st.integers(0, 25))):
        instance = data.draw(st.sampled_from(instances))
        partition = data.draw(st.integers(0, 1))
        match data.draw(st.sampled_from(["step", "step", "assign", "revoke", "fail", "wait"])):
            case "step":
                instance.steps(1)
            case "assign":
                instance.member.assign(partition)
            case "revoke":
                instance.member.revoke(partition)
            case "fail":
                store.failures, store.acknowledged = 1, data.draw(st.booleans())
            case "wait":
                clock.now += PAUSE_S
    store.failures = 0
    instances[0].member.assign(0, 1)
    for _ in range(len(told) + 2):
        clock.now += PAUSE_S
        instances[0].steps(1)
    assert store.sums() == sums(told)
    assert {p: position.next_offset for p, position in store.positions.items()} == {
        p: topic.end(p) for p in (0, 1)
    }
