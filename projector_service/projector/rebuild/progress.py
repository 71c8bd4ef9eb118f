"""How far a rebuild has come: a bar on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Callable, Mapping
from typing import Protocol

import click

EVERY_S = 10.0


class Progress(Protocol):
    """Where progress is shown."""

    def show(self, done: int, total: int) -> None: ...
    def end(self) -> None: ...


class Distance:
    """What is read of what there is to read: offsets, from where each partition began."""

    def __init__(self) -> None:
        self._begun: dict[int, int] = {}

    def of(self, positions: Mapping[int, int], ends: Mapping[int, int]) -> tuple[int, int]:
        """Return how many offsets have been passed, and how many there are."""
        self._begun = dict(positions) | self._begun
        done = sum(max(0, offset - self._begun[p]) for p, offset in positions.items())
        left = sum(max(0, end - positions.get(p, 0)) for p, end in ends.items())
        return done, done + left


class Bar:
    """A bar on a terminal."""

    def __init__(self) -> None:
        self._bar = click.progressbar(length=1, label="reading", file=sys.stderr)

    def show(self, done: int, total: int) -> None:
        """Draw it."""
        self._bar.length = max(1, total)
        self._bar.update(done - self._bar.pos)

    def end(self) -> None:
        """Leave it as it is, and go on in the next line."""
        self._bar.render_finish()


class Lines:
    """Lines, at most one every EVERY_S seconds."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._tell, self._clock = tell, clock
        self._next_at = clock() + EVERY_S

    def show(self, done: int, total: int) -> None:
        """Print a line if it is time."""
        if self._clock() >= self._next_at:
            self._next_at = self._clock() + EVERY_S
            self._tell(f"reading: {done:,} of {total:,} messages")

    def end(self) -> None:
        """Print nothing."""


def shown_on(stream_is_terminal: bool, tell: Callable[[str], None], clock: Callable[[], float]) -> Progress:
    """Return what shows progress."""
    return Bar() if stream_is_terminal else Lines(tell, clock)
