import pytest

from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event, Evicted, Gap
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID


def at(*offsets: int, topic: str = TOPIC_ID) -> Position:
    return Position(topic, offsets)


def open_ring(max_events: int = 100, max_bytes: int = 1 << 20) -> Ring:
    """Return an empty ring of two partitions."""
    ring = Ring(max_events, max_bytes)
    ring.open(at(0, 0))
    return ring


def append(ring: Ring, many: int) -> None:
    """Append the next of a0, a1… to partition 0, one batch each."""
    for _ in range(many):
        offset = ring.position.offsets[0]
        ring.append([Event(0, offset, offset, b"a%d" % offset)], at(offset + 1, 0))


def payloads(ring: Ring, number: int, max_bytes: int = 1 << 20) -> list[bytes]:
    """Return the payloads from batch `number` on."""
    return [event.payload for batch in ring.slice(number, max_bytes).batches for event in batch.events]


def test_ring_has_no_position_before_it_is_open() -> None:
    closed = Ring(1, 1)
    assert not closed.is_open
    with pytest.raises(LookupError):
        _ = closed.position


def test_unused_ring_can_begin_later_and_does_not_claim_what_is_before() -> None:
    ring = open_ring()
    ring.begin_later(at(5, 0))
    assert ring.is_unused
    ring.append([Event(0, 5, 50, b"a5"), Event(1, 0, 40, b"b0")], at(6, 1))
    assert not ring.is_unused
    view = ring.view()
    assert (view.floor, view.first, view.began) == (at(5, 0), 0, -1)
    assert [view.is_complete_since(time_ms) for time_ms in (0, 50, 51)] == [False, False, True]
    assert [batch.gap for batch in view.batches] == [None]


def test_slice_ends_with_the_position_after_it() -> None:
    ring = open_ring()
    append(ring, 3)
    piece = ring.slice(1, 1)
    assert [event.payload for batch in piece.batches for event in batch.events] == [b"a1"]
    assert (piece.number, piece.position) == (2, at(2, 0))
    assert ring.slice(3, 1).position == at(3, 0)


def test_skipped_messages_move_the_ring_position_and_take_no_room() -> None:
    ring = open_ring()
    append(ring, 1)
    for offset in range(2, 50):
        ring.append([], at(offset, 0))
    assert (ring.head, ring.position) == (1, at(49, 0))
    assert ring.slice(0, 1).position == at(49, 0)


@pytest.mark.parametrize("bounds", [(3, 1 << 20), (100, 2000)])
def test_ring_evicts_the_oldest_batches_beyond_its_bounds(bounds: tuple[int, int]) -> None:
    ring = open_ring(*bounds)
    append(ring, 20)
    assert ring.view().floor == at(17, 0)
    assert payloads(ring, 17) == [b"a17", b"a18", b"a19"]
    with pytest.raises(Evicted) as evicted:
        ring.slice(16, 1)
    assert (evicted.value.number, evicted.value.floor) == (17, at(17, 0))


def test_ring_holds_the_newest_of_events_that_were_read_together() -> None:
    """A batch that is larger than the ring would be evicted before anyone is sent it."""
    ring = open_ring(max_bytes=64 << 10)
    events = [Event(n % 2, n // 2, 0, b"%d %s" % (n, b"x" * 1000)) for n in range(200)]
    ring.append(events, at(100, 105))
    view = ring.view()
    held = [event for batch in view.batches for event in batch.events]
    assert len(held) > 40
    assert held == events[-len(held) :]
    assert view.floor == at(-(-held[0].offset - held[0].partition), held[0].offset)
    assert ring.position == at(100, 105)


def test_ring_finds_the_batch_that_follows_a_position() -> None:
    ring = open_ring()
    ring.append([Event(0, 0, 0, b"a0"), Event(1, 0, 0, b"b0")], at(1, 1))
    ring.append([Event(0, 1, 0, b"a1")], at(2, 1))
    ring.append([Event(1, 1, 0, b"b1")], at(2, 2))
    assert ring.view().number_at(at(0, 0)) == 0
    assert ring.view().number_at(at(1, 0)) == 0
    assert ring.view().number_at(at(1, 1)) == 1
    assert ring.view().number_at(at(2, 1)) == 2
    assert ring.view().number_at(at(2, 2)) == 3
    assert ring.view().number_at(at(9, 1)) == 2
    assert ring.view().number_at(at(9, 9)) == 3


def test_ring_opened_on_another_topic_is_emptied_and_holds_a_gap() -> None:
    ring = open_ring()
    append(ring, 2)
    ring.open(at(0, topic=OTHER_ID))
    (batch,) = ring.slice(2, 1).batches
    assert batch.gap == Gap("recreated", at(2, 0), at(0, topic=OTHER_ID))
    assert batch.gap.lost == {}
    assert ring.view().number_at(at(0, topic=OTHER_ID)) == 3


def test_ring_jump_leaves_a_gap_with_the_lost_offsets() -> None:
    ring = open_ring()
    append(ring, 1)
    ring.jump(at(9, 0))
    (batch,) = ring.slice(1, 1).batches
    assert batch.gap is not None
    assert batch.gap.lost == {"0": [1, 9]}
    assert ring.view().number_at(at(1, 0)) == 1
    assert ring.view().number_at(at(9, 0)) == 2


def test_ring_calls_listeners_and_wakes_waiters_at_every_change() -> None:
    ring = open_ring()
    heads: list[int] = []
    ring.on_change(lambda: heads.append(ring.head))
    append(ring, 2)
    assert heads == [1, 2]
    assert ring.wait_past(1, timeout=0)
    assert not ring.wait_past(2, timeout=0)


def test_ring_iterates_newest_first() -> None:
    ring = open_ring()
    append(ring, 3)
    assert [event.payload for event in ring.view().newest_first()] == [b"a2", b"a1", b"a0"]


def test_ring_is_not_complete_since_before_an_evicted_event_although_time_went_back() -> None:
    ring = open_ring(max_events=1)
    for offset, milliseconds in enumerate((100, 90, 200)):
        ring.append([Event(0, offset, milliseconds, b"a")], at(offset + 1, 0))
    assert not ring.view().is_complete_since(95)
    assert ring.view().is_complete_since(101)


def test_ring_is_complete_since_any_time_although_an_empty_partition_was_added() -> None:
    ring = open_ring()
    append(ring, 1)
    ring.append((), at(1, 0, 0))
    assert ring.view().is_complete_since(0)
