"""Known mistakes, put back into the product one at a time: each must be found within 2,000 seeds."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, fields
from typing import Any
from unittest.mock import patch

from consumer.fanout import resume as resuming
from consumer.fanout import sse
from consumer.fanout import viewer as viewing
from consumer.fanout.client import Client
from consumer.fanout.filter import Filter
from consumer.fanout.policy import SLICE_BYTES
from consumer.fanout.replaying import join
from consumer.fanout.sockets import READ, SocketFanout
from consumer.fanout.viewer import Replaying, Viewer
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Batch, Evicted, FoundTime, Gap, Slice
from consumer.ring.view import RingView
from consumer.topic.deduplicator import Deduplicator
from consumer.topic.history import History
from consumer.topic.kafka import KafkaUnavailable, TopicAdmin
from consumer.topic.replay import Key, Replay
from consumer.topic.stretch import Stretch
from consumer.topic.tail import Tail
from consumer.web import stream
from tests.simulation.runner import Patch
from tests.simulation.stream import install


@contextmanager
def _all(*patches: AbstractContextManager[object]) -> Iterator[None]:
    with ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield


def _c1() -> AbstractContextManager[object]:
    return patch.object(install.world_class(), "mutant_page_loads_at_once", True)


def _c2() -> AbstractContextManager[object]:
    def flush(self: SocketFanout) -> None:
        while self._shared and self._live and self._shared.number != self._ring.head:
            self._send_to_all(self._live, self._shared.take(self._ring, SLICE_BYTES))

    return patch.object(SocketFanout, "_flush", flush)


@dataclass(frozen=True, slots=True)
class TornView(RingView):
    """A view whose floor was asked for earlier than the rest."""

    earlier_floor: Position

    @property
    def floor(self) -> Position:
        return self.earlier_floor


@dataclass(frozen=True, slots=True)
class CompletePosition(Position):
    """A position that claims to cover any other."""

    def covers(self, other: Position) -> bool:
        return True


class RingProxy:
    """A ring with another way to answer `view`."""

    def __init__(self, ring: Ring, view: Callable[[Ring], RingView]) -> None:
        self._ring = ring
        self.view = lambda: view(ring)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ring, name)


def _torn(ring: Ring) -> RingView:
    floor = ring.view().floor
    return _changed(TornView, ring.view(), earlier_floor=floor)


def _complete(ring: Ring) -> RingView:
    view = ring.view()
    return _changed(RingView, view, position=CompletePosition(view.position.topic_id, view.position.offsets))


def _changed(kind: type[RingView], view: RingView, **changes: object) -> RingView:
    known: dict[str, Any] = {field.name: getattr(view, field.name) for field in fields(RingView)}
    return kind(**known | changes)


def _history_with(view: Callable[[Ring], RingView]) -> AbstractContextManager[object]:
    init = History.__init__

    def wrapped(self: History, ring: Ring, *args: Any, **kwargs: Any) -> None:
        init(self, RingProxy(ring, view), *args, **kwargs)  # type: ignore[arg-type]  # quacks like a ring

    return patch.object(History, "__init__", wrapped)


def _c3_resume() -> AbstractContextManager[object]:
    def from_position(ring: Ring, position: Position) -> Viewer:
        floor = ring.view().floor
        view = ring.view()
        viewer = Viewer(view.head, position.no_earlier_than(Position(floor.topic_id, ())))
        if position.covers(floor):
            join(viewer, view)
        else:
            viewer.replaying = Replaying(view.rewinds)
        return viewer

    def resume(ring: Ring, last_event_id: str | None, start: str | None, wanted: Filter) -> Viewer:
        view = ring.view()
        text = last_event_id or start
        if text and ";" in text and Position.parse(text).topic_id == view.position.topic_id:
            return from_position(ring, view.before_rewinds(Position.parse(text)))
        return resuming.resume(ring, last_event_id, start, wanted)

    return patch.object(stream, "resume", resume)


def _c5() -> AbstractContextManager[object]:
    truncated, forget = Tail._truncated, Deduplicator.forget
    kept: set[int] = set()

    def remember(self: Tail, *args: Any) -> list[int]:
        if found := truncated(self, *args):
            kept.add(id(self._deduplicator))
        return found

    def forget_not(self: Deduplicator) -> None:
        if id(self) in kept:
            kept.remove(id(self))
        else:
            forget(self)

    return _all(patch.object(Tail, "_truncated", remember), patch.object(Deduplicator, "forget", forget_not))


def _c6() -> AbstractContextManager[object]:
    move, skip = Viewer._move_to, Viewer._skip_evicted

    def move_to(self: Viewer, position: Position, since: Position | None) -> None:
        if since and since.topic_id != position.topic_id:
            self.position, self.since = position, None if position.covers(since) else since
        else:
            move(self, position, since)

    def skip_evicted(self: Viewer, evicted: Evicted) -> bytes:
        if not evicted.is_anew:
            return skip(self, evicted)
        gap = Gap("recreated", self.position, evicted.floor)
        self.number, self.position = evicted.number, evicted.floor
        return sse.gap(gap)

    def merged(position: Position, since: Position | None) -> Position:
        same = since is not None and since.topic_id == position.topic_id
        return position.no_earlier_than(since) if since and same else position

    return _all(
        patch.object(viewing, "_valid", lambda since, _batch: since),
        patch.object(viewing, "_merged", merged),
        patch.object(Viewer, "_move_to", move_to),
        patch.object(Viewer, "_skip_evicted", skip_evicted),
    )


def _c12() -> AbstractContextManager[object]:
    def catch_up(self: SocketFanout, client: Client) -> None:
        try:
            if not client.send_rest() or self._shared is None:
                return
            if client.viewer.number >= self._shared.number:
                self._move(client, self._live, READ)
            elif data := client.viewer.take(self._ring, self._policy.buffer_bytes):
                client.send(data)
        except OSError:
            self._drop(client)

    return patch.object(SocketFanout, "_catch_up", catch_up)


def _c13() -> AbstractContextManager[object]:
    def move_to(self: Viewer, position: Position, _since: Position | None) -> None:
        self.position, self.since = position, None

    return _all(
        patch.object(Viewer, "_move_to", move_to),
        patch.object(viewing, "_merged", lambda position, _since: position),
    )


def _p5() -> AbstractContextManager[object]:
    def offsets(self: TopicAdmin, partitions: int, which: Any, *isolation: Any) -> tuple[int, ...]:
        wanted = {install.TopicPartition(self._name, partition): which for partition in range(partitions)}
        futures = self._admin.list_offsets(wanted)
        found = {tp.partition: self._result(future).offset for tp, future in futures.items()}
        return tuple(found[partition] for partition in range(partitions))

    return patch.object(TopicAdmin, "_offsets", offsets)


def _n1() -> AbstractContextManager[object]:
    read = History._read

    def read_from_the_cursor(self: History, starts: list[int], before: Position) -> Any:
        if any(start == before.at(partition) > 0 for partition, start in enumerate(starts)):
            raise KafkaUnavailable("the log moved while it was read")
        return read(self, starts, before)

    return patch.object(History, "_read", read_from_the_cursor)


def _n6() -> AbstractContextManager[object]:
    def init(self: Evicted, number: int, floor: Position, is_anew: bool) -> None:
        self.number, self.floor, self.is_anew = number, floor, False

    return patch.object(Evicted, "__init__", init)


def _n8() -> AbstractContextManager[object]:
    return patch.object(Batch, "left_off", property(lambda batch: batch.before))


def _r1() -> AbstractContextManager[object]:
    def slice_(self: Replay, position: Position, until: Position, *_: Any) -> Slice:
        return Slice([], 0, until)

    return patch.object(Replay, "slice", slice_)


def _r2() -> AbstractContextManager[object]:
    move_on = Stretch._move_on

    def past_what_waits(self: Stretch, until: Position) -> None:
        move_on(self, until)
        offsets = (min(reached, until.at(p)) for p, reached in enumerate(self._reached))
        self.position = self.position.no_earlier_than(Position(self.position.topic_id, tuple(offsets)))

    return patch.object(Stretch, "_move_on", past_what_waits)


def _r3() -> AbstractContextManager[object]:
    find = Replay._find

    def complete(self: Replay, since_ms: int, until: Position) -> FoundTime:
        return find(self, since_ms, until)._replace(is_complete=True)

    return patch.object(Replay, "_find", complete)


def _r4() -> AbstractContextManager[object]:
    def from_position(view: RingView, position: Position) -> Viewer:
        begin = position.no_earlier_than(view.floor)
        viewer = Viewer(view.head, begin)
        join(viewer, view)
        viewer.gap = None if position.covers(view.floor) else Gap("expired", position, begin)
        return viewer

    return patch.object(resuming, "_from_position", from_position)


def _r5() -> AbstractContextManager[object]:
    def keep_the_end(self: Replay, key: Key, position: Position, piece: Slice) -> None:
        """Keep the batches in the order of the part, and so drop the one that is waited for."""
        positions = [position, *(batch.before for batch in piece.batches[1:]), piece.position]
        slices = [Slice([b], 1, after) for b, after in zip(piece.batches, positions[1:], strict=False)]
        for before, part in zip(positions, slices or [Slice([], 0, piece.position)], strict=False):
            self._kept[Key(str(before), key.began)] = part
            self._bytes += sum(batch.size for batch in part.batches)
        while self._bytes > self._kept_bytes:
            _, evicted = self._kept.popitem(last=False)
            self._bytes -= sum(batch.size for batch in evicted.batches)

    return patch.object(Replay, "_keep", keep_the_end)


def _passes_signposts(part: type[Tail] | type[Stretch]) -> AbstractContextManager[object]:
    return patch.object(part, "_may_pass", lambda self, *place: True)


MUTANTS: Mapping[str, tuple[str, Patch]] = {
    "C1": ("a page without a position loads history before its stream has begun", _c1),
    "C2": ("a flush goes on for as long as events come in", _c2),
    "C3-resume": ("the floor and the place in the ring are read under two locks", _c3_resume),
    "C3-history": ("the ring's floor and its events are read under two locks", lambda: _history_with(_torn)),
    "C4": ("a cursor ahead of this replica is answered from the ring", lambda: _history_with(_complete)),
    "C5": ("repeats are not forgotten when the log was cut back", _c5),
    "C6": ("what a viewer had of a topic hides the next topic's events", _c6),
    "C12": ("a laggard overtakes the live viewers and then joins them", _c12),
    "C13": ("ids go back on a replica that has read less", _c13),
    "C14": (
        "a viewer that joins the live ones does not bring its position along",
        lambda: patch.object(Viewer, "joined_by", lambda self, other: None),
    ),
    "P5": ("-1001 for a vanished leader is taken for an offset", _p5),
    "silent-reader": (
        "a reader from which nothing comes is kept",
        lambda: patch.object(Tail, "_check_progress", lambda self: None),
    ),
    "N1": ("history fails for good once retention has passed its cursor", _n1),
    "N6": ("a new beginning is told as an overflow when its marker was evicted", _n6),
    "R1": ("a viewer from before the ring is sent nothing of what lies between", _r1),
    "R2": ("a part's position is past what was read ahead and not given", _r2),
    "R3": ("what retention has passed is not told to who begins at a time", _r3),
    "R4": ("what the ring no longer has is told as lost although Kafka has it", _r4),
    "R5": ("where little is kept, the part that is waited for goes first", _r5),
    "signpost-tail": ("the tail goes past a signpost at once", lambda: _passes_signposts(Tail)),
    "signpost-replay": ("a replay goes past a signpost at once", lambda: _passes_signposts(Stretch)),
    "N8": ("a bookmark is of the new log before the gap is told", _n8),
}
