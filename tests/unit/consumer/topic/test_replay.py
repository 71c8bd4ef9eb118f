"""The line of viewers that wait for past events, what is kept, and whose turn it is."""

import json
import logging
import threading
import time

import pytest

from consumer.ring.position import Position
from consumer.ring.types import Batch, FoundTime, Slice
from consumer.topic.replay import (
    FORGET_S,
    MAX_IN_LINE,
    MAX_TIMES,
    MOST_IN_A_ROW,
    PART_BYTES,
    PAUSE_S,
    SMALLEST_PART_BYTES,
    TIME_KEPT_S,
    Key,
    Replay,
    _size,
)
from consumer.topic.stretch import PART_OFFSETS
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID, FakeTopic, NoPause, event

BEGAN = -1
MANY = 1 << 20


class UntilTheLineIsEmpty(NoPause):
    """A stop flag that lets a reader serve everyone who stands in line."""

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self._replay = replay

    def is_set(self) -> bool:
        return super().is_set() or not self._replay._line


class TimedCondition(threading.Condition):
    """A condition for one thread: time passes while it waits, and nobody notifies it."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.now += timeout or 0
        return False


class Given:
    """A topic, its replay, and one reader that is run by the test."""

    def __init__(self, topic: FakeTopic, kept_bytes: int = 16 << 20) -> None:
        self.topic = topic
        self.clock = FakeClock()
        self.replay = Replay(
            topic, topic.open_reader,
            orders_remembered=1000, event_bytes=10_000, kept_bytes=kept_bytes, clock=self.clock,
        )  # fmt: skip
        self.replay._changed = TimedCondition(self.clock)

    @property
    def end(self) -> Position:
        return at(*self.topic.end_offsets(len(self.topic.logs)))

    def ask(self, *offsets: int, until: Position | None = None, max_bytes: int = MANY) -> Slice | None:
        return self.replay.slice(at(*offsets), until or self.end, BEGAN, max_bytes)

    def find(self, since_ms: int) -> FoundTime | None:
        return self.replay.find(since_ms, self.end, BEGAN)

    def serve(self) -> None:
        """Let a reader serve the line."""
        self.replay.run(UntilTheLineIsEmpty(self.replay))


def at(*offsets: int) -> Position:
    return Position(TOPIC_ID, offsets)


def orders(piece: Slice | None) -> list[str]:
    assert piece is not None
    return [json.loads(event.payload)["subject"] for batch in piece.batches for event in batch.events]


def alternating(many: int) -> FakeTopic:
    """Return a topic of two partitions with o0, o1, …, a millisecond apart."""
    topic = FakeTopic()
    for n in range(many):
        topic.put(n % 2, event(f"o{n}"), at=n)
    return topic


@pytest.fixture
def given() -> Given:
    return Given(alternating(10))


def test_nobody_waits_for_a_reader(given: Given) -> None:
    assert given.ask(0, 0) is None
    given.serve()
    assert orders(given.ask(0, 0)) == [f"o{n}" for n in range(10)]


def test_viewers_of_the_same_stretch_share_one_reading(given: Given) -> None:
    for _ in range(3):
        assert given.ask(0, 0) is None
    given.serve()
    for _ in range(3):
        assert given.ask(0, 0) is not None
    assert given.topic.opened == [[0, 0]]


def test_slice_is_bounded_and_the_next_one_follows() -> None:
    given = Given(alternating(200))
    given.ask(0, 0)
    given.serve()
    piece, seen, slices = given.ask(0, 0, max_bytes=1), [], 0
    while piece is not None:
        seen += orders(piece)
        slices += 1
        piece = given.ask(*piece.position.offsets, max_bytes=1) if piece.position != given.end else None
    assert seen == [f"o{n}" for n in range(200)]
    assert slices > 5


def test_what_was_read_before_a_new_beginning_is_not_given_after_it(given: Given) -> None:
    given.ask(0, 0)
    given.serve()
    assert given.replay.slice(at(0, 0), given.end, BEGAN + 1, MANY) is None


def test_kept_bytes_are_bounded_and_the_first_of_a_part_stays() -> None:
    given = Given(alternating(1000), kept_bytes=40_000)
    given.ask(0, 0)
    given.serve()
    assert given.replay._bytes <= 40_000
    assert orders(given.ask(0, 0, max_bytes=1))[0] == "o0"


def test_part_of_which_nothing_fits_is_given_all_the_same() -> None:
    given = Given(alternating(10), kept_bytes=1)
    given.ask(0, 0)
    given.serve()
    assert given.ask(0, 0) is not None


def test_viewer_learns_whether_a_reader_is_at_it(given: Given) -> None:
    given.ask(0, 0)
    assert not given.replay.is_reading(at(0, 0), BEGAN)
    seen = []
    given.topic.on_open = lambda: seen.append(given.replay.is_reading(at(0, 0), BEGAN))
    given.serve()
    assert seen == [True]
    assert not given.replay.is_reading(at(0, 0), BEGAN)


def test_asking_again_may_help_after_a_reading_and_listeners_know(given: Given) -> None:
    told: list[int] = []
    given.replay.on_change(lambda: told.append(given.replay.number))
    given.ask(0, 0)
    assert told == []
    given.serve()
    assert told
    assert given.replay.wait_past(told[0] - 1, 0)
    assert not given.replay.wait_past(given.replay.number, 0)


def test_failure_is_logged_and_the_viewer_may_ask_again(
    given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    given.topic.is_down = True
    assert given.replay.slice(at(0, 0), at(5, 5), BEGAN, MANY) is None
    number = given.replay.number
    with caplog.at_level(logging.WARNING, "consumer.topic.replay"):
        given.serve()
    assert "no answer" in caplog.text
    assert given.replay.number > number
    given.topic.is_down = False
    given.clock.now += PAUSE_S
    assert given.ask(0, 0) is None
    given.serve()
    assert given.ask(0, 0) is not None


def test_one_viewer_that_cannot_be_served_keeps_nobody_waiting(given: Given) -> None:
    """What failed is not asked for again at once, and the reader does not pause for it."""
    began = given.clock.now
    given.topic.silent_readers = 1
    given.topic.steps = [lambda: setattr(given.clock, "now", given.clock.now + 1)] * 7
    given.ask(0, 0)
    given.serve()
    failed_after_s = given.clock.now - began
    given.topic.steps = []
    assert given.ask(0, 0) is None
    assert given.ask(1, 1) is None
    given.serve()
    assert given.ask(1, 1) is not None
    assert given.topic.opened == [[0, 0], [1, 1]]
    assert given.clock.now - began < failed_after_s + 0.5


def test_position_beyond_kafkas_end_in_one_partition_is_served_in_the_others(given: Given) -> None:
    """As after the loss of a log's end; the viewer is told once it is in the ring (Viewer.check_position)."""
    far = 999_999_999_999_999_999
    given.ask(far, 0)
    given.serve()
    piece = given.ask(far, 0)
    assert orders(piece) == ["o1", "o3", "o5", "o7", "o9"]
    assert piece is not None
    assert piece.position == at(far, 5)


def test_parts_are_smaller_while_many_wait(given: Given) -> None:
    """Each takes little at a time; what the next one is read must not push out what the last has yet to take."""
    assert given.replay._part_bytes() == PART_BYTES
    for n in range(1000):
        given.replay.slice(at(n, 0), at(10**6, 10**6), BEGAN, MANY)
    assert given.replay._part_bytes() == SMALLEST_PART_BYTES


def test_long_positions_count_as_memory() -> None:
    short, long = (
        _size(Slice([Batch(position, ())], 1, position))
        for position in (at(1, 1), Position(TOPIC_ID, (1,) * 1000))
    )
    assert long - short > 900 * 100


def test_nobody_can_make_positions_collide() -> None:
    """A tuple of numbers is hashed without a secret: these all have the same hash, and a dictionary of them is slow."""
    p1, p2, p5, m = 11400714785074694791, 14029467366897019727, 2870177450012600261, (1 << 64) - 1

    def step(acc: int, lane: int) -> int:
        acc = (acc + lane * p2) & m
        return ((acc << 31 | acc >> 33) & m) * p1 & m

    turned = step(step(step(p5, 0), 7), 9) * pow(p1, -1, 1 << 64) & m
    before = (turned >> 31 | turned << 33) & m
    found = [
        at(0, first, second, 5)
        for first in range(10**17, 10**17 + 2000)
        if (second := (before - step(step(p5, 0), first)) * pow(p2, -1, 1 << 64) & m) < 10**18
    ]
    assert len({hash(position) for position in found}) == 1
    assert len({hash(Key(str(position), BEGAN)) for position in found}) == len(found) > 50


def test_who_has_left_is_not_read_for(given: Given) -> None:
    given.ask(0, 0)
    given.clock.now += FORGET_S + 0.1
    given.ask(1, 1)
    given.serve()
    assert given.topic.opened == [[1, 1]]


def test_who_asks_again_keeps_its_place_in_the_line(given: Given) -> None:
    given.ask(0, 0)
    given.ask(1, 1)
    given.clock.now += FORGET_S - 1
    given.ask(0, 0)
    given.ask(1, 1)
    given.clock.now += FORGET_S - 0.1
    given.serve()
    assert given.topic.opened == [[0, 0], [1, 1]]


def test_line_is_bounded(given: Given) -> None:
    until = at(10**6, 10**6)
    for n in range(MAX_IN_LINE + 10):
        given.replay.slice(at(n, 0), until, BEGAN, MANY)
    assert len(given.replay._line) == MAX_IN_LINE
    given.replay.slice(at(0, 0), until, BEGAN, MANY)
    assert next(iter(given.replay._line.values())).what == at(0, 0)


def test_reader_goes_on_where_it_is_for_who_wants_what_follows() -> None:
    given = Given(alternating(6 * PART_OFFSETS))
    given.ask(0, 0)
    answers: list[Slice] = []

    def ask_for_what_follows() -> None:
        place = answers[-1].position if answers else at(0, 0)
        while place != given.end and (piece := given.ask(*place.offsets)) is not None:
            answers.append(piece)
            place = piece.position

    given.replay.on_change(ask_for_what_follows)
    given.serve()
    assert [order for piece in answers for order in orders(piece)] == [
        f"o{n}" for n in range(6 * PART_OFFSETS)
    ]
    assert len(given.topic.opened) == 1


def test_others_get_their_turn_while_one_reads_on_and_on() -> None:
    given = Given(alternating(40 * PART_OFFSETS))
    given.ask(0, 0)
    given.ask(1, 0)
    parts_of_one = 0

    def ask_for_what_follows() -> None:
        nonlocal parts_of_one
        if len(given.topic.opened) == 1:
            parts_of_one += 1
            given.ask(*at(0, 0).offsets)
            place = at(0, 0)
            while (piece := given.ask(*place.offsets)) is not None:
                place = piece.position

    given.replay.on_change(ask_for_what_follows)
    given.serve()
    assert given.topic.opened[1] == [1, 0]
    assert MOST_IN_A_ROW <= parts_of_one <= MOST_IN_A_ROW + 1


def test_time_is_found_in_every_partition() -> None:
    given = Given(alternating(10))
    assert given.find(4) is None
    given.serve()
    assert given.find(4) == FoundTime(at(2, 2), is_complete=True)


def test_time_to_come_is_the_end() -> None:
    given = Given(alternating(10))
    given.find(10**15)
    given.serve()
    assert given.find(10**15) == FoundTime(at(5, 5), is_complete=True)


def test_time_before_what_retention_has_left_is_not_complete() -> None:
    given = Given(alternating(10))
    given.topic.first = [2, 0]
    for since_ms in (0, 5):
        given.find(since_ms)
    given.serve()
    assert given.find(0) == FoundTime(at(2, 0), is_complete=False)
    assert given.find(5) == FoundTime(at(3, 2), is_complete=True)


def test_retention_that_passes_while_a_time_is_looked_up_is_seen() -> None:
    given = Given(alternating(10))
    since = given.topic.offsets_since

    def then_retention(since_ms: int, partitions: int) -> tuple[int | None, ...]:
        given.topic.first = [1, 0]
        return since(since_ms, partitions)

    given.topic.offsets_since = then_retention  # type: ignore[method-assign]
    given.find(0)
    given.serve()
    found = given.find(0)
    assert found is not None
    assert not found.is_complete


def test_time_before_1970_is_none_of_kafkas_special_values() -> None:
    given = Given(alternating(10))
    asked: list[int] = []
    since = given.topic.offsets_since

    def count(since_ms: int, partitions: int) -> tuple[int | None, ...]:
        asked.append(since_ms)
        return since(since_ms, partitions)

    given.topic.offsets_since = count  # type: ignore[method-assign]
    given.find(-2)
    given.serve()
    assert asked == [0]
    assert given.find(-2) == FoundTime(at(0, 0), is_complete=True)


def test_time_is_looked_up_anew_after_a_while_and_few_are_kept() -> None:
    given = Given(alternating(10))
    for since_ms in range(MAX_TIMES + 5):
        given.find(since_ms)
    given.serve()
    assert len(given.replay._times) == MAX_TIMES
    assert given.find(MAX_TIMES) is not None
    given.clock.now += TIME_KEPT_S
    assert given.find(MAX_TIMES) is None


def test_time_of_a_topic_that_was_created_again_is_not_found() -> None:
    given = Given(alternating(10))
    given.replay.find(0, Position("C" * 22, (5, 5)), BEGAN)
    given.serve()
    assert given.replay.find(0, Position("C" * 22, (5, 5)), BEGAN) is None


def test_reader_ends_when_it_is_told_to() -> None:
    topic, stopping = FakeTopic(), threading.Event()
    replay = Replay(
        topic, topic.open_reader,
        orders_remembered=10, event_bytes=1000, kept_bytes=1000, clock=time.monotonic,
    )  # fmt: skip
    reader = threading.Thread(target=replay.run, args=(stopping,))
    reader.start()
    stopping.set()
    reader.join(5)
    assert not reader.is_alive()
