"""Where a viewer begins, from what its browser says; and what it must be told first."""

import math
from datetime import UTC, datetime

from consumer.batch import Batch, Gap
from consumer.position import Position, UnreadablePosition
from consumer.ring import Ring
from consumer.viewer import Viewer, live


def arrive(ring: Ring, last_event_id: str | None, start: str | None) -> Viewer:
    """Where a viewer begins: its Last-Event-ID, else `?from=` (a position or a time), else live."""
    if last_event_id:
        return _resume(ring, last_event_id)
    if start:
        return _resume(ring, start) if ";" in start else _since_time(ring, start)
    return live(ring)


def _unreadable(ring: Ring) -> Viewer:
    viewer = live(ring)
    viewer.gap = Gap("unreadable", None, viewer.position)
    return viewer


def _resume(ring: Ring, text: str) -> Viewer:
    try:
        position = Position.parse(text)
    except UnreadablePosition:
        return _unreadable(ring)
    if position.topic_id != ring.position.topic_id:
        viewer = live(ring)
        viewer.gap = Gap("epoch", position, viewer.position)
        return viewer
    return _from(ring, position, position)


def _from(ring: Ring, position: Position, told: Position | None) -> Viewer:
    """A position ahead of ours is no error: another replica was faster. It begins live; repeats are
    harmless."""
    floor = ring.floor
    begin = position.no_earlier_than(floor)
    gap = None if position.covers(floor) else Gap("expired", told, begin)
    number = ring.number_at(begin)
    live = begin.covers(ring.position)
    return Viewer(number, begin, since=None if live else begin, gap=gap)


def _since_time(ring: Ring, text: str) -> Viewer:
    """From the first event of each partition that is not older; if the ring begins later, that is said."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return _unreadable(ring)
    # Kafka's clock has whole milliseconds: a finer time would skip what came in the same one.
    since_ms = math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    batches, position = ring.snapshot()
    offsets = list(position.offsets)
    for batch in reversed(batches):
        for event in batch.events:
            if event.timestamp_ms >= since_ms:
                offsets[event.partition] = min(offsets[event.partition], event.offset)
    begin = Position(position.topic_id, tuple(offsets))
    viewer = _from(ring, begin, begin)
    if _begins_after(batches, since_ms) and any(ring.floor.offsets):
        viewer.gap = Gap("expired", None, viewer.position)
    return viewer


def _begins_after(batches: list[Batch], since_ms: int) -> bool:
    oldest = next((batch.events[0] for batch in batches if batch.events), None)
    return oldest is None or oldest.timestamp_ms > since_ms
