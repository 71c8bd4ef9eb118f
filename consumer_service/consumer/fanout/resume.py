"""Where a viewer begins, from what its browser says, and what it must be told first."""

import math
from datetime import UTC, datetime

from consumer.fanout.viewer import Viewer, live
from consumer.ring.position import Position, UnreadablePosition
from consumer.ring.ring import Ring
from consumer.ring.types import Gap, GapReason
from consumer.ring.view import RingView


def resume(ring: Ring, last_event_id: str | None, start: str | None) -> Viewer:
    """Return a viewer that begins at its Last-Event-ID, else at `?from=` (a position or a time), else live."""
    text = last_event_id or start
    if not text:
        return live(ring)
    view = ring.view()
    if last_event_id or ";" in text:
        return _from_text(view, text)
    return _from_time(view, text)


def _at_the_end(view: RingView, reason: GapReason, start: Position | None) -> Viewer:
    """Begin live, with a gap: where the viewer left off means nothing here."""
    return Viewer(view.head, view.position, gap=Gap(reason, start, view.position))


def _from_text(view: RingView, text: str) -> Viewer:
    try:
        position = Position.parse(text)
    except UnreadablePosition:
        return _at_the_end(view, "unreadable", None)
    if position.topic_id != view.position.topic_id:
        return _at_the_end(view, "recreated", position)
    return _from_position(view, view.before_rewinds(position))


def _from_position(view: RingView, position: Position) -> Viewer:
    """Begin at a position, or at the floor with a gap.

    A position ahead of ours is no error: another replica was faster. What its viewer has is not sent again."""
    begin = position.no_earlier_than(view.floor)
    gap = None if position.covers(view.floor) else Gap("expired", position, begin)
    number = view.number_at(begin)
    since = None if view.before(number).offsets == begin.offsets else begin
    return Viewer(number, begin, since, gap, view.log_end_number)


def _from_time(view: RingView, text: str) -> Viewer:
    """Begin at the first event of each partition that is not older; with a gap where the ring begins later.

    The time is compared with Kafka's own timestamps, and the gap has no start: which offsets a time stands for
    is known only as far back as the ring reaches."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return _at_the_end(view, "unreadable", None)
    # Kafka's clock has whole milliseconds: a finer time would skip events of the same millisecond.
    since_ms = math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    viewer = _from_position(view, view.since(since_ms))
    if not view.is_complete_since(since_ms):
        viewer.gap = Gap("expired", None, viewer.position)
    return viewer
