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
FORGET_S = 2.5  # a viewer asks at least once a second; who has not has left
IDLE_S = 0.5
CLOSE_S = 5.0
PAUSE_S = 1.0
GRACE_S = (
    0.05  # how long a reader stays open for who has yet to ask for what follows, while others stand in line
)
MOST_IN_A_ROW = 8  # parts that a reader reads on while others stand in line
PLACE_OVERHEAD = 400
OFFSET_BYTES = 60  # as a number, and as text in the key
PART_BYTES = 1 << 20
SMALLEST_PART_BYTES = 64 << 10


class Key(NamedTuple):
    """What is asked for: what comes after a position, or where a time is, as text.

    Viewers choose it, and the hash of a text is salted, unlike that of numbers: nobody can make them collide.
    began: of the ring (RingView.began); what was read before a new beginning may be lost."""

    text: str
    began: int


class Wish(NamedTuple):
    """What a viewer stands in line for: a position, or a time of Kafka's in ms. until: not to be read beyond."""

    what: Position | int
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
        self._line: OrderedDict[Key, Wish] = OrderedDict()
        self._reading: set[Key] = set()
        self._failed_until: dict[Key, float] = {}
        self._kept: OrderedDict[Key, Slice] = OrderedDict()
        self._bytes = 0
        self._times: OrderedDict[Key, tuple[float, FoundTime]] = OrderedDict()
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
            size, reached, key = 0, position, Key(str(position), began)
            while size < max_bytes and (piece := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                batches += piece.batches
                size += sum(batch.size for batch in piece.batches)
                reached, key = piece.position, Key(str(piece.position), began)
            if reached is not position:
                return Slice(batches, len(batches), reached)
            self._ask(key, position, until)
            return None

    def find(self, since_ms: int, until: Position, began: int) -> FoundTime | None:
        """Return the position of the first events that are not older than a time; None when it has yet to be asked.

        since_ms: Kafka's time. until: the ring's position."""
        with self._changed:
            since_ms = max(0, since_ms)  # below 0 it would be one of Kafka's special values
            key = Key(f"{since_ms} ms", began)
            found_at, found = self._times.get(key, (0.0, None))
            if found is not None and self._clock() < found_at + TIME_KEPT_S:
                return found
            self._ask(key, since_ms, until)
            return None

    def is_reading(self, position: Position, began: int) -> bool:
        """Return whether a reader is at it: otherwise others are before it in the line."""
        return Key(str(position), began) in self._reading

    def wait_past(self, number: int, timeout: float) -> bool:
        """Wait until `number` has changed, for at most `timeout` seconds; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self.number != number, timeout)

    def _ask(self, key: Key, what: Position | int, until: Position) -> None:
        if key in self._reading or self._clock() < self._failed_until.get(key, 0.0):
            return
        if key in self._line or len(self._line) < MAX_IN_LINE:
            self._line[key] = Wish(what, until, self._clock())
            self._changed.notify_all()

    # The readers

    def run(self, stopping: threading.Event) -> None:
        """Read what viewers stand in line for, until `stopping` is set."""
        failures = 0
        while not stopping.is_set():
            if (taken := self._take_first()) is None:
                continue
            key, wish = taken
            try:
                if isinstance(wish.what, int):
                    self._keep_time(key, self._find(wish.what, wish.until))
                else:
                    self._read_from(key, wish.what, wish.until, stopping)
                failures = 0
            except KafkaUnavailable as exc:
                failures += 1
                self._failed(key)
                if failures == 1:
                    logger.warning("Past events cannot be read for a viewer: %s", exc)
                else:  # it is not about this viewer, so it would be the same for the next
                    stopping.wait(PAUSE_S)
            finally:
                self._done(key)

    def _read_from(self, key: Key, position: Position, until: Position, stopping: threading.Event) -> None:
        """Read from a position on, for as long as somebody wants what comes next. Raises KafkaUnavailable."""
        stretch = Stretch(
            self._admin, self._open_reader, Deduplicator(self._orders_remembered), position,
            len(until.offsets), event_bytes=self._event_bytes, clock=self._clock,
        )  # fmt: skip
        with closing(stretch):
            following: Position | None = until
            parts = 0
            while following is not None:
                try:
                    self._keep(key, position, stretch.read(following, self._part_bytes()))
                finally:
                    self._done(key)
                parts += 1
                position = stretch.position
                key = Key(str(position), key.began)
                following = self._take_following(key, parts < MOST_IN_A_ROW, stopping)

    def _part_bytes(self) -> int:
        """Return how large a part may be: what many wait for must not push out what each has yet to take."""
        share = self._kept_bytes // (4 * (len(self._line) + READERS))
        return min(PART_BYTES, max(SMALLEST_PART_BYTES, share))

    def _take_first(self) -> tuple[Key, Wish] | None:
        """Take the first of the line; wait for it a little."""
        with self._changed:
            self._forget_who_left()
            if not self._line:
                self._changed.wait(IDLE_S)
            if not self._line:
                return None
            key, wish = self._line.popitem(last=False)
            self._reading.add(key)
            return key, wish

    def _take_following(self, key: Key, may_go_on: bool, stopping: threading.Event) -> Position | None:
        """Take this place from the line, wherever it stands; None when it is the others' turn, or nobody wants it."""
        now = self._clock()
        patient_until, open_until = now + GRACE_S, now + CLOSE_S
        with self._changed:
            while not stopping.is_set() and self._clock() < open_until:
                self._forget_who_left()
                is_wanted = key in self._line
                if is_wanted and (may_go_on or len(self._line) == 1):
                    self._reading.add(key)
                    return self._line.pop(key).until
                if len(self._line) > is_wanted and (not may_go_on or self._clock() >= patient_until):
                    return None
                self._changed.wait(GRACE_S if self._line else IDLE_S)
        return None

    def _forget_who_left(self) -> None:
        now = self._clock()
        for key in [key for key, wish in self._line.items() if wish.asked_at < now - FORGET_S]:
            del self._line[key]

    def _failed(self, key: Key) -> None:
        """Let others have their turn first."""
        with self._changed:
            now = self._clock()
            self._failed_until = {each: until for each, until in self._failed_until.items() if until > now}
            self._failed_until[key] = now + PAUSE_S

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

    def _keep_time(self, key: Key, found: FoundTime) -> None:
        with self._changed:
            self._times[key] = (self._clock(), found)
            self._times.move_to_end(key)
            while len(self._times) > MAX_TIMES:
                self._times.popitem(last=False)

    def _keep(self, key: Key, position: Position, piece: Slice) -> None:
        """Keep what was read, batch by batch, each under the position before it.

        The first batch is kept last: if others must go, it is not the one that is waited for."""
        if piece.position == position:
            raise KafkaUnavailable("nothing has come although there is more")
        positions = [position, *(batch.before for batch in piece.batches[1:]), piece.position]
        slices = [
            Slice([batch], 1, after) for batch, after in zip(piece.batches, positions[1:], strict=False)
        ]
        slices = slices or [Slice([], 0, piece.position)]
        with self._changed:
            for before, part in reversed(list(zip(positions, slices, strict=False))):
                where = Key(str(before), key.began)
                if (known := self._kept.pop(where, None)) is not None:
                    self._bytes -= _size(known)
                self._kept[where] = part
                self._bytes += _size(part)
            while self._bytes > self._kept_bytes and len(self._kept) > 1:
                _, evicted = self._kept.popitem(last=False)
                self._bytes -= _size(evicted)

    def _done(self, key: Key) -> None:
        with self._changed:
            self._reading.discard(key)
            self.number += 1
            self._changed.notify_all()
        for listener in self._listeners:
            listener()


def _size(piece: Slice) -> int:
    """Return about how many bytes of memory a kept part takes, with its key and the positions of its batches."""
    positions = 1 + len(piece.batches)
    offsets = len(piece.position.offsets)
    return PLACE_OVERHEAD + positions * offsets * OFFSET_BYTES + sum(batch.size for batch in piece.batches)
