"""A rebuild ends with what the whole topic adds up to, whatever happens meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projector.backoff import Backoff, BackoffPolicy
from projector.readmodel.changes import OrderState
from projector.readmodel.placement import Log, Position
from projector.rebuild.run import GIVE_UP_S, HELD_S, GivenUp, Rebuild, Surroundings
from projector.topic.kafka import Read
from projector.topic.session import CHECK_S, Session
from tests.clock import FakeClock
from tests.order_events import Told, orders, sums
from tests.unit.projector.fake_store import FakeStore
from tests.unit.projector.messages import TOPIC_ID, log_of, message
from tests.unit.projector.rebuild.fake_copy import FakeCopy
from tests.unit.projector.topic.fake_kafka import FakeMember, FakeTopic

TOLD = [Told(UUID(int=n)) for n in range(1, 7)]
TICK_S = 0.05


class Reader(FakeMember):
    """A reader during whose reads other things happen."""

    def __init__(self, topic: FakeTopic, batch: int, meanwhile: Callable[[], None]) -> None:
        super().__init__(topic, batch)
        self._meanwhile = meanwhile

    def read(self, timeout_s: float) -> Read:
        self._meanwhile()
        return super().read(timeout_s)


class Shown:
    """Where progress is shown."""

    def __init__(self) -> None:
        self.all: list[tuple[int, int]] = []

    def show(self, done: int, total: int) -> None:
        self.all.append((done, total))

    def end(self) -> None:
        pass


class World:
    """Live read models with an instance that keeps them, and a rebuild beside it."""

    def __init__(self, partitions: int = 2, batch: int = 2) -> None:
        self.clock = FakeClock(tick_s=TICK_S)
        self.topic, self.live = FakeTopic(partitions), FakeStore()
        self.instance = self._new_instance()
        self.batch = batch
        self.told: list[str] = []
        self.shown = Shown()
        self.meanwhile: Callable[[], None] = lambda: None
        self.readers: list[Reader] = []
        self.copy: FakeCopy | None = None

    def _new_instance(self) -> Session:
        self.member = FakeMember(self.topic)
        return Session(self.topic.id, self.member, self.topic, self.live, self._backoff(), self.clock)

    def restart_instance(self) -> None:
        """As after the instance has found the topic created again."""
        self.instance = self._new_instance()

    def run_live(self, steps: int = 3) -> None:
        """Let the instance read what there is."""
        self.member.take(range(len(self.topic.logs_of)))
        for _ in range(steps):
            self.instance.step()

    def rebuild(self) -> FakeCopy:
        self.copy = FakeCopy(self.live)
        around = Surroundings(
            read=self._read,
            ask=lambda: self.topic,
            new_backoff=self._backoff,
            clock=self.clock,
            pause=self._pause,
            tell=self.told.append,
            progress=self.shown,
        )
        Rebuild(self.copy, around).run()
        return self.copy

    @staticmethod
    def _backoff() -> Backoff:
        return Backoff(BackoffPolicy(0.1, 0.1), rand=lambda: 1.0)

    def _read(self) -> Reader:
        self.readers.append(Reader(self.topic, self.batch, lambda: self.meanwhile()))
        return self.readers[-1]

    def _pause(self, seconds: float) -> None:
        self.clock.now += seconds
        self.meanwhile()


@pytest.fixture
def world() -> World:
    world = World()
    world.topic.append(*log_of(0, TOLD[:3]), *log_of(1, TOLD[3:]))
    return world


def test_topic_from_its_beginning_takes_the_place_of_what_was_there(world: World) -> None:
    world.run_live()
    world.live.totals[0, "placed"].number += 1000  # whoever did that
    world.rebuild()
    assert world.live.sums() == sums(TOLD)
    assert world.live.positions == {0: Position(TOPIC_ID, 3), 1: Position(TOPIC_ID, 3)}
    assert world.readers[0].closed
    assert world.shown.all[-1] == (6, 6)
    assert world.told == []


def test_read_models_that_were_never_there_are_made(world: World) -> None:
    world.rebuild()
    assert world.live.sums() == sums(TOLD)


def test_instance_goes_on_from_the_new_positions_and_counts_nothing_twice(world: World) -> None:
    world.run_live()
    world.topic.append(*log_of(0, [replace(TOLD[0], version=2, status="confirmed")], begin=3))
    world.rebuild()  # which has read more than the instance
    later = [replace(TOLD[1], version=2, status="confirmed")]
    world.topic.append(*log_of(0, later, begin=4))
    world.run_live(5)
    assert world.live.sums() == sums([*TOLD, replace(TOLD[0], version=2, status="confirmed"), *later])
    assert world.instance.positions == {0: 5, 1: 3}


def test_swap_waits_for_those_who_read(world: World) -> None:
    world.run_live()
    copies: list[FakeCopy] = []

    def busy() -> None:
        if world.copy and world.copy not in copies:
            copies.append(world.copy)
            world.copy.busy = 3

    world.meanwhile = busy
    assert world.rebuild().swaps == 1
    assert copies[0].busy == 0


def test_it_gives_up_when_the_swap_fails_for_too_long(world: World) -> None:
    def busy() -> None:
        assert world.copy
        world.copy.busy = 1

    world.meanwhile = busy
    with pytest.raises(GivenUp, match="somebody is reading"):
        world.rebuild()
    assert world.live.sums() == sums([])


def test_it_gives_up_when_nothing_moves_for_too_long(world: World) -> None:
    began = world.clock.now

    def fail() -> None:
        assert world.copy
        world.copy.store.failures = 1

    world.meanwhile = fail
    with pytest.raises(GivenUp, match="the database is away"):
        world.rebuild()
    assert world.clock.now - began < 2 * GIVE_UP_S


def test_kafka_that_is_away_is_asked_again_until_patience_ends(world: World) -> None:
    world.topic.down = True
    with pytest.raises(GivenUp, match="Kafka: no answer"):
        world.rebuild()


def test_partitions_that_are_added_meanwhile_are_read(world: World) -> None:
    world.run_live()
    new = Told(UUID(int=99))

    def grow() -> None:
        if 2 not in world.topic.logs_of:
            world.topic.logs_of[2], world.topic.beginnings[2] = [message(new, 2, 0)], 0
            world.run_live()

    world.meanwhile = grow
    world.rebuild()
    assert world.live.sums() == sums([*TOLD, new])
    assert world.live.positions[2] == Position(TOPIC_ID, 1)


def test_topic_that_is_created_again_meanwhile_is_read_too(world: World) -> None:
    world.run_live()
    new = Told(UUID(int=99))

    def recreate() -> None:
        if world.topic.id == TOPIC_ID and world.shown.all and world.shown.all[-1][0] > 2:
            world.topic.id = "topic-2"
            world.topic.logs_of = {0: [message(new, 0, 0)], 1: []}

    world.meanwhile = recreate
    copy = world.rebuild()
    assert "created again" in world.told[0]
    assert len(world.readers) == 2
    assert copy.store.positions[0] == Position("topic-2", 1, recreated=1)
    assert {str(new.order_id)} <= set(copy.store.orders)


@pytest.mark.parametrize("is_away", [False, True])
def test_orders_are_seeded_again_when_the_topic_was_created_again(world: World, is_away: bool) -> None:
    """What only the live instance had read of the old one is nowhere else."""
    unread = Told(UUID(int=60))

    def recreate() -> None:
        assert world.copy
        world.topic.down = False
        if world.copy.seeds and world.topic.id == TOPIC_ID:
            world.topic.id, world.topic.down = "topic-2", is_away
            world.topic.logs_of = {0: [], 1: []}
            state = OrderState(1, unread.status, unread.item, unread.quantity, unread.total)
            world.copy.orders, world.copy.busy = {str(unread.order_id): state}, 3

    world.run_live()
    world.meanwhile = recreate
    assert world.rebuild().seeds == [0, 1]
    assert "created again" in world.told[0]
    assert world.live.sums().totals == sums([*TOLD, unread]).totals


def test_that_the_topic_was_created_again_once_is_not_forgotten(world: World) -> None:
    world.live.positions = {p: Position("topic-0", 70, recreated=1) for p in (0, 1)}
    world.rebuild()
    assert world.live.positions == {p: Position(TOPIC_ID, 3, recreated=2) for p in (0, 1)}


def test_orders_whose_events_are_gone_are_seeded_and_no_others(world: World) -> None:
    gone, changed, parked = Told(UUID(int=50), status="shipped", version=3), TOLD[3], Told(UUID(int=51))
    world.topic.beginnings = {0: 0, 1: 1}  # the first event of TOLD[3] is gone
    world.topic.append(message(b"{", 1, 3, key=parked.key))
    copy_orders = {
        str(told.order_id): OrderState(told.version, told.status, told.item, told.quantity, told.total)
        for told in (gone, replace(changed, version=2, status="confirmed"), *TOLD[:3], parked)
    }

    def fill() -> None:
        assert world.copy
        world.copy.orders = copy_orders

    world.meanwhile = fill
    copy = world.rebuild()
    assert copy.seeds == [2]
    assert "2 orders" in world.told[0]
    found = world.live.sums()
    assert {status: number for status, (number, _) in found.totals.items()} == {
        "shipped": 1,
        "confirmed": 1,
        "placed": 5,
    }
    assert found.events == 5  # an event is one that was read
    assert found.minutes == sums([*TOLD[:3], *TOLD[4:]]).minutes
    assert world.live.positions[1].skipped == 1


def test_event_of_a_seeded_order_that_comes_after_all_counts_as_an_event_only(world: World) -> None:
    seeded = Told(UUID(int=50))
    later = replace(seeded, version=2, status="confirmed")

    def fill() -> None:
        assert world.copy
        world.copy.orders = {
            str(seeded.order_id): OrderState(1, "placed", seeded.item, seeded.quantity, seeded.total)
        }

    world.meanwhile = fill
    world.rebuild()
    assert world.live.sums().totals == sums([*TOLD, seeded]).totals
    world.topic.append(*log_of(0, [seeded, later], begin=3))
    world.run_live(5)
    assert world.live.sums() == sums([*TOLD, seeded, later])


def test_retention_that_overtakes_is_made_up_for_from_the_orders(world: World) -> None:
    lost = TOLD[:2]

    def overtake() -> None:
        assert world.copy
        if world.copy.store.positions.get(0, Position(TOPIC_ID, 0)).next_offset == 0:
            world.topic.beginnings[0] = 2
        world.copy.orders = {
            str(t.order_id): OrderState(1, t.status, t.item, t.quantity, t.total) for t in lost
        }

    world.meanwhile = overtake
    world.rebuild()
    assert world.live.sums().totals == sums(TOLD).totals
    assert world.live.positions[0] == Position(TOPIC_ID, 3, skipped=2)


def test_live_position_behind_the_end_of_a_log_that_has_become_shorter_is_no_obstacle(world: World) -> None:
    world.live.positions[0] = Position(TOPIC_ID, 7)
    world.rebuild()
    assert world.live.positions[0].next_offset == 3


@pytest.mark.parametrize("new", [1, 50])
def test_live_position_is_never_turned_back(world: World, new: int) -> None:
    """The instance is ahead each time, as what comes is read by it at once: at first by more than is read in time."""
    more, held = [Told(UUID(int=100 + n)) for n in range(new)], list[bool]()

    def load() -> None:
        if more:
            world.topic.append(*log_of(0, more, begin=3))
            more.clear()
            world.run_live()

    def look() -> None:
        assert world.copy
        world.copy.before_swap = load
        held.append(world.copy.is_held)

    world.run_live()
    world.meanwhile = look
    copy = world.rebuild()
    assert world.live.positions[0] == Position(TOPIC_ID, 3 + new)
    assert world.live.sums() == sums([*TOLD, *(Told(UUID(int=100 + n)) for n in range(new))])
    assert copy.swaps == 1
    assert any(held)
    assert held.count(True) * TICK_S <= HELD_S


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, Told | bytes, bytes]]:
    """Draw what is put on the topic, in order: events of orders, repeats, and garbage in some orders' names."""
    told = list(chain.from_iterable(orders(draw(st.integers(0, 8)), seed=draw(st.integers(0, 1000)))))
    found: list[tuple[int, Told | bytes, bytes]] = [(t.order_id.int % 2, t, t.key) for t in told]
    for _ in range(draw(st.integers(0, 4))) if told else ():
        place = draw(st.integers(0, len(told) - 1))
        partition, value, key = found[place]
        again = value if draw(st.booleans()) else b"{"
        found.insert(draw(st.integers(place + 1, len(found))), (partition, again, key))
    return found


@given(histories(), st.data())
@settings(max_examples=150)
def test_rebuild_equals_the_live_read_models_for_any_history_and_any_interleaving(
    history: list[tuple[int, Told | bytes, bytes]], data: st.DataObject
) -> None:
    world, coming = World(batch=data.draw(st.integers(1, 5))), list(history)
    steps = iter(data.draw(st.lists(st.sampled_from(["put", "live", "wait", "fail"]), max_size=60)))

    def put() -> None:
        if coming:
            partition, value, key = coming.pop(0)
            world.topic.append(message(value, partition, world.topic.end(partition), key))

    def meanwhile() -> None:
        match next(steps, "put"):
            case "put":
                put()
            case "live" if not (world.copy and world.copy.is_held):
                world.run_live(1)
            case "wait":
                world.clock.now += 1
            case "fail" if world.copy:
                world.copy.store.failures = 1

    for _ in range(data.draw(st.integers(0, len(history)))):
        put()
        world.run_live(data.draw(st.integers(0, 1)))
    world.meanwhile = meanwhile
    world.rebuild()
    while coming:
        put()
    for _ in range(5):
        world.clock.now += CHECK_S
        world.run_live(2)

    alone = World(batch=1000)
    alone.topic.logs_of = world.topic.logs_of
    alone.live.find_places(TOPIC_ID, {p: Log(0, alone.topic.end(p)) for p in (0, 1)})
    alone.run_live()
    assert world.live.sums() == alone.live.sums()
    assert world.live.positions == alone.live.positions
    assert {(m.message.partition, m.message.offset) for m in world.live.letters} == {
        (m.message.partition, m.message.offset) for m in alone.live.letters
    }
