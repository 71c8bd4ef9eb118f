"""What a viewer is told when the ring begins anew: the topic was created again, or Kafka has lost a log's end."""

import pytest

from consumer.fanout.viewer import live
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event
from tests.unit.consumer.fanout.stream_text import blocks
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID


def at(offset: int) -> Position:
    """Return a position of a topic with one partition."""
    return Position(TOPIC_ID, (offset,))


@pytest.fixture
def ring() -> Ring:
    ring = Ring(2, 1 << 20)
    ring.open(at(0))
    return ring


def put(ring: Ring, *payloads: bytes) -> None:
    """Append each payload as a batch of its own."""
    for payload in payloads:
        offset = ring.position.offsets[0]
        ring.append([Event(0, offset, 0, payload)], at(offset + 1))


def test_new_beginning_is_told_to_a_viewer_that_its_marker_was_evicted_for(ring: Ring) -> None:
    put(ring, b"a")
    viewer = live(ring)
    ring.rewind(at(0))
    put(ring, b"b", b"c", b"d")
    (gap,) = blocks(viewer.take(ring, 1 << 20))
    assert (gap.event, gap.json["reason"], gap.last_id) == ("gap", "recreated", f"{TOPIC_ID};0:1")


def test_bookmark_before_a_new_beginning_is_of_the_old_log(ring: Ring) -> None:
    put(ring, b"a")
    viewer = live(ring)
    ring.rewind(at(0))
    assert viewer.refreshed(ring).position == at(1)
    (gap,) = blocks(viewer.take(ring, 1 << 20))
    assert (gap.json["from"], gap.json["to"]) == (f"{TOPIC_ID};0:1", f"{TOPIC_ID};0:0")
