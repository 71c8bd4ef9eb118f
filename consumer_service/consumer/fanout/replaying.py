"""The way of a viewer whose place is older than the ring: events from Kafka, until its place is in the ring.

What Kafka still has is never a gap, however old the place is. Nothing here waits, and the viewer keeps only its
position: what it is sent belongs to the replay, and is shared."""

from collections.abc import Callable
from typing import Protocol

from consumer.fanout import sse
from consumer.fanout.viewer import Replaying, Viewer, encode_slice
from consumer.ring.position import Position
from consumer.ring.types import FoundTime, Gap, Slice
from consumer.ring.view import RingView


class Replay(Protocol):
    """Reads from Kafka what the ring no longer has, and answers None while it has yet to (consumer.topic.replay)."""

    @property
    def number(self) -> int:
        """Changes whenever asking again may help."""

    def on_change(self, listener: Callable[[], None]) -> None: ...
    def wait_past(self, number: int, timeout: float) -> bool: ...
    def slice(self, position: Position, until: Position, began: int, max_bytes: int) -> Slice | None: ...
    def find(self, since_ms: int, until: Position, began: int) -> FoundTime | None: ...
    def is_reading(self, position: Position, began: int) -> bool: ...


def next_blocks(viewer: Viewer, view: RingView, replay: Replay, state: str, max_bytes: int) -> bytes | None:
    """Move on and return the next blocks of a viewer that is behind; None when they have yet to be read.

    They are empty when everything was filtered out, or when the viewer's place is in the ring now. state: for the
    status, the first block of a viewer that begins at a time. view: of the ring; many viewers may share one, as it need
    not be of this moment."""
    replaying = viewer.replaying
    if replaying is None or replaying.has_joined:
        return b""
    if replaying.since_ms is not None:
        return _begin_at_time(viewer, replaying, view, replay, state)
    if viewer.position.topic_id != view.position.topic_id:
        return _begin_anew(viewer, view)
    if view.rewinds != replaying.rewinds:
        return _take_back(viewer, replaying, view)
    if viewer.position.covers(view.floor):
        join(viewer, view)
        return b""
    piece = replay.slice(viewer.position, view.position, view.began, max_bytes)
    if piece is None:
        is_reading = replay.is_reading(viewer.position, view.began)
        replaying.state = "reading" if is_reading else "waiting"
        return None
    replaying.state = "reading"
    viewer.position = piece.position
    return encode_slice(piece, None, viewer.filter)


def _begin_at_time(
    viewer: Viewer, replaying: Replaying, view: RingView, replay: Replay, state: str
) -> bytes | None:
    assert replaying.since_ms is not None
    found = replay.find(replaying.since_ms, view.position, view.began)
    if found is None:
        return None
    replaying.since_ms, replaying.rewinds = None, view.rewinds
    viewer.position = found.position
    if not found.is_complete:
        viewer.gap = Gap("expired", None, found.position)
    return viewer.greeting(state)


def _begin_anew(viewer: Viewer, view: RingView) -> bytes:
    """Go on at the beginning of the ring: the topic of the viewer's position is gone."""
    gap = Gap("recreated", viewer.position, view.floor)
    # The first batch may be the one that tells everyone of the new beginning, and this viewer is being told.
    viewer.number = view.first + (view.first == view.began)
    viewer.position = view.floor
    viewer.replaying = Replaying(view.rewinds, has_joined=True, state="reading")
    return sse.gap(gap)


def _take_back(viewer: Viewer, replaying: Replaying, view: RingView) -> bytes:
    """Go back to before what Kafka has lost, and say so if the viewer was that far."""
    replaying.rewinds = view.rewinds
    earlier = view.before_rewinds(viewer.position)
    if earlier == viewer.position:
        return b""
    gap = Gap("recreated", viewer.position, earlier)
    viewer.position = earlier
    return sse.gap(gap)


def join(viewer: Viewer, view: RingView) -> None:
    """Give a viewer whose position the ring has its place there.

    A position ahead of ours is no error: another replica was faster. What its viewer has is not sent again."""
    number = view.number_at(viewer.position)
    before = view.before(number)
    viewer.number = number
    viewer.since = None if before.offsets == viewer.position.offsets else viewer.position
    viewer.log_end_number = view.log_end_number
    if viewer.replaying is not None:
        viewer.replaying.has_joined = True
