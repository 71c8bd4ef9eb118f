"""Waiting in tests: look again until it is so, never longer than a deadline."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], within: float = 15, every: float = 0.05) -> T:
    """The first truthy answer of `look`. An AssertionError inside it counts as "not yet"."""
    end = time.monotonic() + within
    pause = threading.Event()
    while True:
        try:
            if answer := look():
                return answer
            seen = f"last answer: {answer!r}"
        except AssertionError as error:
            seen = str(error)
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s; {seen}")
        pause.wait(every)
