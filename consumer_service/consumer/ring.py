"""The recent events, in the order they were read, with the position before each batch.

Batches are numbered; a viewer holds the number it is to be sent next. Positions never go back from one
batch to the next, so "everything after this position" is a batch number and a filter on the batches from
there."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, RLock

from consumer.batch import Batch, Event, Gap, Overrun, Piece
from consumer.position import Position


class Ring:
    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._batches: deque[Batch] = deque()
        self._first = 0
        self._events = 0
        self._bytes = 0
        self._position: Position | None = None
        self._changed = Condition(RLock())
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    @property
    def is_open(self) -> bool:
        return self._position is not None

    @property
    def position(self) -> Position:
        """Where the next event will come from; there is none before the first `open`."""
        if self._position is None:
            raise LookupError("the ring is not open yet")
        return self._position

    @property
    def floor(self) -> Position:
        """Nothing before this can be resumed from here."""
        with self._changed:
            return self._batches[0].before if self._batches else self.position

    @property
    def head(self) -> int:
        return self._first + len(self._batches)

    def open(self, position: Position) -> None:
        """Begin at a position. What was held before is of a topic that is gone, and every viewer is told."""
        with self._changed:
            previous, self._position = self._position, position
            self._first += len(self._batches)
            self._batches.clear()
            self._events = self._bytes = 0
            if previous is not None:
                self._push(Batch(position, (), Gap("epoch", previous, position)))
        self._announce()

    def append(self, events: Sequence[Event], position: Position) -> None:
        """`position` is after these events and after all that was skipped among them."""
        with self._changed:
            before, self._position = self.position, position
            if events:
                self._push(Batch(before, tuple(events)))
        self._announce()

    def jump(self, position: Position) -> None:
        """The log no longer holds what was next: retention was faster than we were."""
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
        with self._changed:
            return self._changed.wait_for(lambda: self.head > number, timeout)

    def slice(self, number: int, max_bytes: int) -> Piece:
        """The batches from `number` on, at least one if there is one, up to about `max_bytes`."""
        with self._changed:
            if number < self._first:
                raise Overrun(self._first, self.floor)
            batches: list[Batch] = []
            size = 0
            index = number - self._first
            while index < len(self._batches) and size < max_bytes:
                batches.append(self._batches[index])
                size += self._batches[index].size
                index += 1
            after = self._batches[index].before if index < len(self._batches) else self.position
            return Piece(batches, self._first + index, after)

    def number_at(self, position: Position) -> int:
        """The last batch that begins at or before the position: nothing after the position is older."""
        with self._changed:
            if position.covers(self.position):
                return self.head
            indexes = range(len(self._batches))
            later = bisect_left(indexes, True, key=lambda i: not position.covers(self._batches[i].before))
            return self._first + max(0, later - 1)

    def newest_first(self) -> Iterator[Event]:
        with self._changed:
            batches = list(self._batches)
        return (event for batch in reversed(batches) for event in reversed(batch.events))

    def snapshot(self) -> tuple[list[Batch], Position]:
        with self._changed:
            return list(self._batches), self.position
