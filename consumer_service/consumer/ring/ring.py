"""The recent events, in the order they were read, with the position before each batch.

Batches are numbered; a viewer holds the number of the next one it is to be sent. Positions never go back from
one batch to the next, so "everything after this position" is a batch number and a filter on the batches from
there."""

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from consumer.ring.position import Position
from consumer.ring.types import Batch, Event, Evicted, Gap, Slice


class Ring:
    """A bounded, thread-safe queue of batches: the oldest are evicted when it is full."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._batches: deque[Batch] = deque()
        self._first = 0
        self._events = 0
        self._bytes = 0
        self._position: Position | None = None
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
    def position(self) -> Position:
        """Where the next event will come from. Raises LookupError before the first `open`."""
        if self._position is None:
            raise LookupError("The ring is not open yet.")
        return self._position

    @property
    def floor(self) -> Position:
        """The earliest position that can be resumed from here."""
        with self._changed:
            return self._batches[0].before if self._batches else self.position

    @property
    def head(self) -> int:
        """The number of the next batch that will be appended."""
        return self._first + len(self._batches)

    def open(self, position: Position) -> None:
        """Begin at a position. Batches held before belong to a topic that is gone, and every viewer is told."""
        with self._changed:
            previous, self._position = self._position, position
            self._first += len(self._batches)
            self._batches.clear()
            self._events = self._bytes = 0
            if previous is not None:
                self._push(Batch(position, (), Gap("recreated", previous, position)))
        self._announce()

    def append(self, events: Sequence[Event], position: Position) -> None:
        """Add events. position: after them, and after everything that was skipped among them."""
        with self._changed:
            before, self._position = self.position, position
            if events:
                self._push(Batch(before, tuple(events)))
        self._announce()

    def jump(self, position: Position) -> None:
        """Move on with a gap: retention has deleted the next events before they were read."""
        with self._changed:
            before, self._position = self.position, position
            self._push(Batch(before, (), Gap("expired", before, position)))
        self._announce()

    def _push(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._events += len(batch.events)
        self._bytes += batch.size
        while self._events > self._max_events or self._bytes > self._max_bytes:
            evicted = self._batches.popleft()
            self._first += 1
            self._events -= len(evicted.events)
            self._bytes -= evicted.size

    def _announce(self) -> None:
        with self._changed:
            self._changed.notify_all()
        for listener in self._listeners:
            listener()

    def wait_past(self, number: int, timeout: float) -> bool:
        """Wait until batch `number` exists, for at most `timeout` seconds; return whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: self.head > number, timeout)

    def slice(self, number: int, max_bytes: int) -> Slice:
        """Return the batches from `number` on, at least one if there is one, up to about `max_bytes`.

        Raises Evicted when batch `number` is no longer held.
        """
        with self._changed:
            if number < self._first:
                raise Evicted(self._first, self.floor)
            batches: list[Batch] = []
            size = 0
            index = number - self._first
            while index < len(self._batches) and size < max_bytes:
                batches.append(self._batches[index])
                size += self._batches[index].size
                index += 1
            after = self._batches[index].before if index < len(self._batches) else self.position
            return Slice(batches, self._first + index, after)

    def number_at(self, position: Position) -> int:
        """Return the last batch that begins at or before the position: no later event is in an earlier batch."""
        with self._changed:
            if position.covers(self.position):
                return self.head
            indexes = range(len(self._batches))
            later = bisect_left(indexes, True, key=lambda i: not position.covers(self._batches[i].before))
            return self._first + max(0, later - 1)

    def newest_first(self) -> Iterator[Event]:
        """Iterate over the events held now, newest first."""
        with self._changed:
            batches = list(self._batches)
        return (event for batch in reversed(batches) for event in reversed(batch.events))

    def snapshot(self) -> tuple[list[Batch], Position]:
        """Return the batches held now and the position after them."""
        with self._changed:
            return list(self._batches), self.position
