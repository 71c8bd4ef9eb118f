"""A replay whose answers the test gives."""

from collections.abc import Callable

from consumer.ring.position import Position
from consumer.ring.types import FoundTime, Slice


class FakeReplay:
    """kept: what follows a position. times: where a time is. reading: what a reader is at. asked: every question."""

    def __init__(self) -> None:
        self.kept: dict[Position, Slice] = {}
        self.times: dict[int, FoundTime] = {}
        self.reading: set[Position] = set()
        self.asked: list[Position | int] = []
        self.number = 0
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def keep(self, before: Position, piece: Slice) -> None:
        """Have read what follows a position."""
        self.kept[before] = piece
        self.number += 1
        for listener in self._listeners:
            listener()

    def slice(self, position: Position, until: Position, began: int, max_bytes: int) -> Slice | None:
        self.asked.append(position)
        return self.kept.get(position)

    def find(self, since_ms: int, until: Position, began: int) -> FoundTime | None:
        self.asked.append(since_ms)
        return self.times.get(since_ms)

    def is_reading(self, position: Position, began: int) -> bool:
        return position in self.reading

    def wait_past(self, number: int, timeout: float) -> bool:
        return self.number != number
