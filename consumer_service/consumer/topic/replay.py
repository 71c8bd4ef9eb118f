"""Serves viewers whose place is older than the ring, from Kafka, as far back as its retention.

A viewer asks for what comes after its position, and never waits: it is given the next part if that has been read, or
stands in line until one of a few readers gets to it. Parts are kept for a while and found by the position before them,
so viewers of the same stretch share one reading, and a slow viewer, whose part is no longer kept, just asks again. How
much is kept does not depend on how many viewers ask, nor on how slowly they read."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from consumer.ring.position import Position
from consumer.ring.types import Batch, FoundTime, Slice
from consumer.topic.deduplicator import Deduplicator
from consumer.topic.kafka import Admin, KafkaUnavailable, OpenReader
from consumer.topic.stretch import Stretch

logger = logging.getLogger(__name__)

READERS = 2
MAX_IN_LINE = 4096  # whoever finds the line full asks again
MAX_TIMES = 256
TIME_KEPT_S = 10.0  # "since two hours from now" means another place by then
FORGET_S = 5.0  # a viewer asks at least once a second; who has not has left
IDLE_S = 0.5
CLOSE_S = 5.0
PAUSE_S = 1.0
GRACE_S = (
    0.05  # how long a reader stays open for who has yet to ask for what follows, while others stand in line
)
MOST_IN_A_ROW = 8  # parts that a reader reads on while others stand in line
PLACE_OVERHEAD = 400


class Place(NamedTuple):
    """Where a part begins. began: of the ring (RingView.began); what was read before a new beginning may be lost."""

    position: Position
    began: int


class Moment(NamedTuple):
    """A time whose position is asked for: Kafka's, in ms."""

    since_ms: int
    began: int


class Wish(NamedTuple):
    """What a viewer stands in line for. until: not to be read beyond."""

    until: Position
    asked_at: float


class Replay:
    """The line, what has been read, and the readers: `run` is called by READERS threads.

    number: changes whenever asking again may help."""

    def __init__(
        self, admin: Admin, open_reader: OpenReader, *, orders_remembered: int, event_bytes: int,
        kept_bytes: int, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._admin = admin
        self._open_reader = open_reader
        self._orders_remembered = orders_remembered
        self._event_bytes = event_bytes
        self._clock = clock
        self._kept_bytes = kept_bytes
        self._line: OrderedDict[Place | Moment, Wish] = OrderedDict()
        self._reading: set[Place | Moment] = set()
        self._kept: OrderedDict[Place, Slice] = OrderedDict()
        self._bytes = 0
        self._times: OrderedDict[Moment, tuple[float, FoundTime]] = OrderedDict()
        self._changed = threading.Condition(threading.Lock())
        self._listeners: list[Callable[[], None]] = []
        self.number = 0

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever asking again may help, from a reader's thread."""
        self._listeners.append(listener)

    # What viewers ask. Nothing here waits.

    def slice(self, position: Position, until: Position, began: int, max_bytes: int) -> Slice | None:
        """Return what comes after the position, about max_bytes at most; None when it has yet to be read.

        until: the ring's position, beyond which nothing is read. began: see RingView."""
        with self._changed:
            batches: list[Batch] = []
            size, place = 0, Place(position, began)
            while size < max_bytes and (piece := self._kept.get(place)) is not None:
                self._kept.move_to_end(place)
                batches += piece.batches
                size += sum(batch.size for batch in piece.batches)
                place = Place(piece.position, began)
            if place.position != position:
                return Slice(batches, len(batches), place.position)
            self._ask(place, until)
            return None

    def find(self, since_ms: int, until: Position, began: int) -> FoundTime | None:
        """Return the position of the first events that are not older than a time; None when it has yet to be asked.

        since_ms: Kafka's time. until: the ring's position."""
        with self._changed:
            moment = Moment(max(0, since_ms), began)  # below 0 it would be one of Kafka's special values
            found_at, found = self._times.get(moment, (0.0, None))
            if found is not None and self._clock() < found_at + TIME_KEPT_S:
                return found
            self._ask(moment, until)
            return None

    def is_reading(self, position: Position, began: int) -> bool:
        """Return whether a reader is at it: otherwise others are before it in the line."""
        return Place(position, began) in self._reading

    def wait_past(self, number: int, timeout: float) -> bool:
        """Wait until `number` has changed, for at most `timeout` seconds; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self.number != number, timeout)

    def _ask(self, what: Place | Moment, until: Position) -> None:
        if what in self._reading:
            return
        if what in self._line or len(self._line) < MAX_IN_LINE:
            self._line[what] = Wish(until, self._clock())
            self._changed.notify_all()

    # The readers

    def run(self, stopping: threading.Event) -> None:
        """Read what viewers stand in line for, until `stopping` is set."""
        while not stopping.is_set():
            if (taken := self._take_first()) is None:
                continue
            what, until = taken
            try:
                if isinstance(what, Moment):
                    self._keep_time(what, self._find(what.since_ms, until))
                else:
                    self._read_from(what, until, stopping)
            except KafkaUnavailable as exc:
                logger.warning("Past events cannot be read for a viewer: %s", exc)
                stopping.wait(PAUSE_S)
            finally:
                self._done(what)

    def _read_from(self, place: Place, until: Position, stopping: threading.Event) -> None:
        """Read from a place on, for as long as somebody wants what comes next. Raises KafkaUnavailable."""
        stretch = Stretch(
            self._admin, self._open_reader, Deduplicator(self._orders_remembered), place.position,
            len(until.offsets), event_bytes=self._event_bytes, clock=self._clock,
        )  # fmt: skip
        with closing(stretch):
            following: Position | None = until
            parts = 0
            while following is not None:
                try:
                    self._keep(place, stretch.read(following))
                finally:
                    self._done(place)
                parts += 1
                place = Place(stretch.position, place.began)
                following = self._take_following(place, parts < MOST_IN_A_ROW, stopping)

    def _take_first(self) -> tuple[Place | Moment, Position] | None:
        """Take the first of the line; wait for it a little."""
        with self._changed:
            self._forget_who_left()
            if not self._line:
                self._changed.wait(IDLE_S)
            if not self._line:
                return None
            what, wish = self._line.popitem(last=False)
            self._reading.add(what)
            return what, wish.until

    def _take_following(self, place: Place, may_go_on: bool, stopping: threading.Event) -> Position | None:
        """Take this place from the line, wherever it stands; None when it is the others' turn, or nobody wants it."""
        now = self._clock()
        patient_until, open_until = now + GRACE_S, now + CLOSE_S
        with self._changed:
            while not stopping.is_set() and self._clock() < open_until:
                self._forget_who_left()
                is_wanted = place in self._line
                if is_wanted and (may_go_on or len(self._line) == 1):
                    self._reading.add(place)
                    return self._line.pop(place).until
                if len(self._line) > is_wanted and (not may_go_on or self._clock() >= patient_until):
                    return None
                self._changed.wait(GRACE_S if self._line else IDLE_S)
        return None

    def _forget_who_left(self) -> None:
        now = self._clock()
        for what in [what for what, wish in self._line.items() if wish.asked_at < now - FORGET_S]:
            del self._line[what]

    def _find(self, since_ms: int, until: Position) -> FoundTime:
        partitions = len(until.offsets)
        # Asked for first: what comes in meanwhile is newer, and would be passed over otherwise.
        ends = self._admin.end_offsets(partitions)
        found = self._admin.offsets_since(since_ms, partitions)
        # Asked for last: what retention deletes in between counts as possibly lost.
        beginnings = self._admin.beginning_offsets(partitions)
        if self._admin.describe().id != until.topic_id:
            raise KafkaUnavailable("the topic was created anew")
        offsets = tuple(end if offset is None else offset for offset, end in zip(found, ends, strict=True))
        # The first event that is left may have had predecessors that were not older either.
        is_complete = all(
            first == 0 or offset > first for first, offset in zip(beginnings, offsets, strict=True)
        )
        return FoundTime(Position(until.topic_id, offsets), is_complete)

    def _keep_time(self, moment: Moment, found: FoundTime) -> None:
        with self._changed:
            self._times[moment] = (self._clock(), found)
            self._times.move_to_end(moment)
            while len(self._times) > MAX_TIMES:
                self._times.popitem(last=False)

    def _keep(self, place: Place, piece: Slice) -> None:
        """Keep what was read, batch by batch, each under the position before it.

        The first batch is kept last: if others must go, it is not the one that is waited for."""
        if piece.position == place.position:
            raise KafkaUnavailable("nothing has come although there is more")
        positions = [place.position, *(batch.before for batch in piece.batches[1:]), piece.position]
        slices = [
            Slice([batch], 1, after) for batch, after in zip(piece.batches, positions[1:], strict=False)
        ]
        slices = slices or [Slice([], 0, piece.position)]
        with self._changed:
            for before, part in reversed(list(zip(positions, slices, strict=False))):
                where = Place(before, place.began)
                if (known := self._kept.pop(where, None)) is not None:
                    self._bytes -= _size(known)
                self._kept[where] = part
                self._bytes += _size(part)
            while self._bytes > self._kept_bytes and len(self._kept) > 1:
                _, evicted = self._kept.popitem(last=False)
                self._bytes -= _size(evicted)

    def _done(self, what: Place | Moment) -> None:
        with self._changed:
            self._reading.discard(what)
            self.number += 1
            self._changed.notify_all()
        for listener in self._listeners:
            listener()


def _size(piece: Slice) -> int:
    return PLACE_OVERHEAD + sum(batch.size for batch in piece.batches)
