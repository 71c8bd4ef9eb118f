import pytest

from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event, Evicted, Gap
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID


def at(*offsets: int, topic: str = TOPIC_ID) -> Position:
    return Position(topic, offsets)


def ring(max_events: int = 100, max_bytes: int = 1 << 20) -> Ring:
    """Partition 0 gets a0, a1…, one batch each."""
    made = Ring(max_events, max_bytes)
    made.open(at(0, 0))
    return made


def add(ring: Ring, many: int) -> None:
    for _ in range(many):
        offset = ring.position.offsets[0]
        ring.append([Event(0, offset, offset, b"a%d" % offset)], at(offset + 1, 0))


def payloads(ring: Ring, number: int, max_bytes: int = 1 << 20) -> list[bytes]:
    return [event.payload for batch in ring.slice(number, max_bytes).batches for event in batch.events]


def test_it_has_no_position_before_it_is_open() -> None:
    closed = Ring(1, 1)
    assert not closed.is_open
    with pytest.raises(LookupError):
        _ = closed.position


def test_a_slice_ends_with_the_position_after_it() -> None:
    r = ring()
    add(r, 3)
    piece = r.slice(1, 1)
    assert [event.payload for batch in piece.batches for event in batch.events] == [b"a1"]
    assert (piece.number, piece.position) == (2, at(2, 0))
    assert r.slice(3, 1).position == at(3, 0)


def test_what_is_not_shown_moves_the_position_and_takes_no_room() -> None:
    r = ring()
    add(r, 1)
    for offset in range(2, 50):
        r.append([], at(offset, 0))
    assert (r.head, r.position) == (1, at(49, 0))
    assert r.slice(0, 1).position == at(49, 0)


@pytest.mark.parametrize("bounds", [(3, 1 << 20), (100, 2000)])
def test_it_forgets_the_oldest_beyond_its_bounds(bounds: tuple[int, int]) -> None:
    r = ring(*bounds)
    add(r, 20)
    assert r.floor == at(17, 0)
    assert payloads(r, 17) == [b"a17", b"a18", b"a19"]
    with pytest.raises(Evicted) as overrun:
        r.slice(16, 1)
    assert (overrun.value.number, overrun.value.floor) == (17, at(17, 0))


def test_a_position_leads_to_the_batch_that_holds_what_follows() -> None:
    r = ring()
    r.append([Event(0, 0, 0, b"a0"), Event(1, 0, 0, b"b0")], at(1, 1))
    r.append([Event(0, 1, 0, b"a1")], at(2, 1))
    r.append([Event(1, 1, 0, b"b1")], at(2, 2))
    assert r.number_at(at(0, 0)) == 0
    assert r.number_at(at(1, 0)) == 0
    assert r.number_at(at(1, 1)) == 1
    assert r.number_at(at(2, 1)) == 2
    assert r.number_at(at(2, 2)) == 3
    assert r.number_at(at(9, 1)) == 2
    assert r.number_at(at(9, 9)) == 3


def test_another_topic_empties_it_and_is_told_as_a_gap() -> None:
    r = ring()
    add(r, 2)
    r.open(at(0, topic=OTHER_ID))
    (batch,) = r.slice(2, 1).batches
    assert batch.gap == Gap("recreated", at(2, 0), at(0, topic=OTHER_ID))
    assert batch.gap.lost == {}
    assert r.number_at(at(0, topic=OTHER_ID)) == 3


def test_a_jump_is_told_with_what_was_lost() -> None:
    r = ring()
    add(r, 1)
    r.jump(at(9, 0))
    (batch,) = r.slice(1, 1).batches
    assert batch.gap is not None
    assert batch.gap.lost == {"0": [1, 9]}
    assert r.number_at(at(1, 0)) == 1
    assert r.number_at(at(9, 0)) == 2


def test_listeners_hear_of_every_change_and_waiters_wake() -> None:
    r = ring()
    heard: list[int] = []
    r.on_change(lambda: heard.append(r.head))
    add(r, 2)
    assert heard == [1, 2]
    assert r.wait_past(1, timeout=0)
    assert not r.wait_past(2, timeout=0)


def test_the_newest_come_first() -> None:
    r = ring()
    add(r, 3)
    assert [event.payload for event in r.newest_first()] == [b"a2", b"a1", b"a0"]
