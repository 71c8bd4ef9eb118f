"""The recent events, in the order they were read, with the position before each batch.

Batches are numbered; a viewer holds the number of the next one it is to be sent. Positions never go back from
one batch to the next (a rewind is a gap and a new beginning), so "everything after this position" is a batch
number and a filter on the batches from there.

Whoever has more than one question asks a `view`: two questions to the ring itself may be answered from two
states, and what was evicted in between would be missing without a gap."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from consumer.ring.position import Position
from consumer.ring.types import Batch, Event, Evicted, Gap, Rewind, Slice, split
from consumer.ring.view import RingView


class Ring:
    """A bounded, thread-safe queue of batches: the oldest are evicted when it is full."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._batches: deque[Batch] = deque()
        self._first = 0
        self._began = -1  # the number of the batch that tells everyone of the last new beginning
        self._events = 0
        self._bytes = 0
        self._position: Position | None = None
        self._rewinds: dict[int, Rewind] = {}
        self._known_since_ms: dict[int, int] = {}
        self._log_end: tuple[int, Position] | None = None
        self._changed = threading.Condition(threading.RLock())
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change, from the thread that made it."""
        self._listeners.append(listener)

    @property
    def is_open(self) -> bool:
        """Whether it has a position yet."""
        return self._position is not None

    @property
    def is_unused(self) -> bool:
        """Whether it has not held anything yet."""
        with self._changed:
            return self._first == 0 and not self._batches

    @property
    def position(self) -> Position:
        """Where the next event will come from. Raises LookupError before the first `open`."""
        if self._position is None:
            raise LookupError("The ring is not open yet.")
        return self._position

    @property
    def head(self) -> int:
        """The number of the next batch that will be appended."""
        with self._changed:
            return self._first + len(self._batches)

    def end(self) -> Slice:
        """Return the empty slice at the end: the number of the next batch and the position before it."""
        with self._changed:
            return Slice((), self._first + len(self._batches), self.position)

    def view(self) -> RingView:
        """Return what the ring holds now, for questions that must be answered from one state."""
        with self._changed:
            return RingView(
                batches=tuple(self._batches),
                first=self._first,
                position=self.position,
                rewinds=dict(self._rewinds),
                known_since_ms=dict(self._known_since_ms),
                log_end_number=self._log_end[0] if self._log_end else 0,
                began=self._began,
            )

    def open(self, position: Position) -> None:
        """Begin at a position. Batches held before belong to a topic that is gone, and every viewer is told."""
        with self._changed:
            self._rewinds.clear()
            self._begin(position)
        self._announce()

    def begin_later(self, position: Position) -> None:
        """Begin at a later position than it was opened at. It must be unused, and nobody wait for what is before."""
        with self._changed:
            self._position, self._known_since_ms = position, _known_at(position)
        self._announce()

    def rewind(self, position: Position) -> None:
        """Begin anew at a position of the same topic, earlier in some partitions: Kafka has lost a part of them.

        Every viewer is told, and one that comes back with a position from before it gets the new events too.
        """
        with self._changed:
            for partition, offset in enumerate(position.offsets):
                reached = self.position.at(partition)
                if offset < reached:
                    earlier = self._rewinds.get(partition, Rewind(offset, reached))
                    self._rewinds[partition] = Rewind(
                        min(offset, earlier.offset), max(reached, earlier.reached)
                    )
            self._begin(position)
        self._announce()

    def append(self, events: Sequence[Event], position: Position) -> None:
        """Add events. position: after them, and after everything that was skipped among them."""
        with self._changed:
            before, self._position = self.position, position
            added = range(len(before.offsets), len(position.offsets))
            self._known_since_ms |= dict.fromkeys(added, -1)  # they are read from offset 0 on
            for event in events:
                self._known_since_ms.setdefault(event.partition, event.timestamp_ms + 1)
            for batch in split(before, events):
                self._push(batch)
        self._announce()

    def jump(self, position: Position) -> None:
        """Move on with a gap: retention has deleted the next events before they were read."""
        with self._changed:
            before, self._position = self.position, position
            self._push(Batch(before, (), Gap("expired", before, position)))
            for partition in before.lost_until(position):
                self._known_since_ms.pop(int(partition), None)
        self._announce()

    def note_log_end(self, end: Position) -> None:
        """Note where Kafka's logs ended a moment ago: no position can be ahead of that."""
        with self._changed:
            self._log_end = ((self._log_end[0] if self._log_end else 0) + 1, end)

    def log_end_after(self, number: int) -> Position | None:
        """Return the latest log end, if it was certainly asked for after the view that knew this number.

        The next one noted may have been asked for before; the one after it was not, since it did not exist when
        that one was noted.
        """
        with self._changed:
            return self._log_end[1] if self._log_end and self._log_end[0] > number + 1 else None

    def _begin(self, position: Position) -> None:
        previous, self._position = self._position, position
        self._first += len(self._batches)
        self._batches.clear()
        self._events = self._bytes = 0
        self._known_since_ms = _known_at(position)
        if previous is not None:
            self._began = self._first
            self._push(Batch(position, (), Gap("recreated", previous, position)))

    def _push(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._events += len(batch.events)
        self._bytes += batch.size
        while self._events > self._max_events or self._bytes > self._max_bytes:
            evicted = self._batches.popleft()
            self._first += 1
            self._events -= len(evicted.events)
            self._bytes -= evicted.size
            for event in evicted.events:
                known_ms = self._known_since_ms.get(event.partition, -1)
                # Kafka's time goes back when a broker with a slower clock becomes the leader.
                self._known_since_ms[event.partition] = max(known_ms, event.timestamp_ms + 1)

    def _announce(self) -> None:
        with self._changed:
            self._changed.notify_all()
        for listener in self._listeners:
            listener()

    def wait_past(self, number: int, timeout: float) -> bool:
        """Wait until batch `number` exists, for at most `timeout` seconds; return whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: self.head > number, timeout)

    def slice(self, number: int, max_bytes: int, until: int | None = None) -> Slice:
        """Return the batches from `number` on, at least one if there is one, up to about `max_bytes`.

        until: the batch to stop before. Raises Evicted when batch `number` is no longer held.
        """
        with self._changed:
            if number < self._first:
                floor = self._batches[0].before if self._batches else self.position
                # Whoever is told of the eviction need not be told of the new beginning once more.
                told = self._first == self._began
                raise Evicted(self._first + told, floor, number <= self._began)
            end = len(self._batches)
            if until is not None:
                end = max(0, min(end, until - self._first))
            batches: list[Batch] = []
            size = 0
            index = number - self._first
            while index < end and size < max_bytes:
                batches.append(self._batches[index])
                size += self._batches[index].size
                index += 1
            after = self._batches[index].left_off if index < len(self._batches) else self.position
            return Slice(batches, self._first + index, after)


def _known_at(position: Position) -> dict[int, int]:
    """Return from when on everything is known where reading begins at a position.

    Nothing is older than offset 0; of any other partition we know no time before its first event here."""
    return {partition: -1 for partition, offset in enumerate(position.offsets) if offset == 0}
