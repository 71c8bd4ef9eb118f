"""Where a viewer begins, from what its browser says, and what it must be told first."""

import math
import re
from datetime import UTC, datetime

from consumer.fanout.filter import EVERYTHING, Filter
from consumer.fanout.replaying import join
from consumer.fanout.viewer import Replaying, Viewer, live
from consumer.ring.position import Position, UnreadablePosition
from consumer.ring.ring import Ring
from consumer.ring.types import Gap, GapReason
from consumer.ring.view import RingView

# Another replica may have heard of partitions that were added a moment ago.
MOST_NEW_PARTITIONS = 100
# What an ISO time consists of; fromisoformat would take other characters too.
TIME = re.compile(r"[0-9TWZ:.,+-]+")


def resume(ring: Ring, last_event_id: str | None, start: str | None, wanted: Filter = EVERYTHING) -> Viewer:
    """Return a viewer that begins at its Last-Event-ID, else at `?from=` (a position or a time), else live.

    What the ring no longer has it is sent from Kafka."""
    text = last_event_id or start
    if not text:
        return live(ring, wanted)
    view = ring.view()
    viewer = _from_text(view, text) if last_event_id or ";" in text else _from_time(view, text)
    viewer.filter = wanted
    return viewer


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
    if len(position.offsets) > len(view.position.offsets) + MOST_NEW_PARTITIONS:
        return _at_the_end(view, "unreadable", None)  # made up, to cost memory
    return _from_position(view, view.before_rewinds(position))


def _from_position(view: RingView, position: Position) -> Viewer:
    viewer = Viewer(view.head, position.no_earlier_than(_zero(view.position)))
    if viewer.position.covers(view.floor):
        join(viewer, view)
    else:
        viewer.replaying = Replaying(view.rewinds)
    return viewer


def _from_time(view: RingView, text: str) -> Viewer:
    """Begin at the first event of each partition that is not older, by Kafka's own timestamps."""
    text = text.upper().replace(" ", "+")
    try:
        moment = datetime.fromisoformat(text) if TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        return _at_the_end(view, "unreadable", None)
    # Kafka's clock has whole milliseconds: a finer time would skip events of the same millisecond.
    since_ms = math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    if view.is_complete_since(since_ms):
        viewer = _from_position(view, view.since(since_ms))
        if viewer.number < view.head:  # who asks for a time is told when it has all that there is
            viewer.replaying = Replaying(view.rewinds, has_joined=True, state="reading")
        return viewer
    return Viewer(view.head, view.position, replaying=Replaying(view.rewinds, since_ms))


def _zero(position: Position) -> Position:
    """Return offset 0 of every partition: a position from before partitions were added knows nothing of them."""
    return Position(position.topic_id, (0,) * len(position.offsets))
