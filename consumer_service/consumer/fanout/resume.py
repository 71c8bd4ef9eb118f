"""Where a viewer begins, from what its browser says, and what it must be told first."""

import math
from datetime import UTC, datetime

from consumer.fanout.viewer import Viewer, live
from consumer.ring.position import Position, UnreadablePosition
from consumer.ring.ring import Ring
from consumer.ring.types import Batch, Gap


def resume(ring: Ring, last_event_id: str | None, start: str | None) -> Viewer:
    """Return a viewer that begins at its Last-Event-ID, else at `?from=` (a position or a time), else live."""
    if last_event_id:
        return _from_text(ring, last_event_id)
    if start:
        return _from_text(ring, start) if ";" in start else _from_time(ring, start)
    return live(ring)


def _unreadable(ring: Ring) -> Viewer:
    viewer = live(ring)
    viewer.gap = Gap("unreadable", None, viewer.position)
    return viewer


def _from_text(ring: Ring, text: str) -> Viewer:
    try:
        position = Position.parse(text)
    except UnreadablePosition:
        return _unreadable(ring)
    if position.topic_id != ring.position.topic_id:
        viewer = live(ring)
        viewer.gap = Gap("recreated", position, viewer.position)
        return viewer
    return _from_position(ring, position, position)


def _from_position(ring: Ring, position: Position, told: Position | None) -> Viewer:
    """Begin at a position, or at the floor with a gap from `told`.

    A position ahead of ours is no error: another replica was faster. Its viewer begins live, and repeats are
    harmless."""
    floor = ring.floor
    begin = position.no_earlier_than(floor)
    gap = None if position.covers(floor) else Gap("expired", told, begin)
    number = ring.number_at(begin)
    is_live = begin.covers(ring.position)
    return Viewer(number, begin, since=None if is_live else begin, gap=gap)


def _from_time(ring: Ring, text: str) -> Viewer:
    """Begin at the first event of each partition that is not older; when the ring begins later, with a gap."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return _unreadable(ring)
    # Kafka's clock has whole milliseconds: a finer time would skip events of the same millisecond.
    since_ms = math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    batches, position = ring.snapshot()
    offsets = list(position.offsets)
    for batch in reversed(batches):
        for event in batch.events:
            if event.timestamp_ms >= since_ms:
                offsets[event.partition] = min(offsets[event.partition], event.offset)
    begin = Position(position.topic_id, tuple(offsets))
    viewer = _from_position(ring, begin, begin)
    if _begins_after(batches, since_ms) and any(ring.floor.offsets):
        viewer.gap = Gap("expired", None, viewer.position)
    return viewer


def _begins_after(batches: list[Batch], since_ms: int) -> bool:
    oldest = next((batch.events[0] for batch in batches if batch.events), None)
    return oldest is None or oldest.timestamp_ms > since_ms
