"""Waiting in tests: poll a condition until it is true, never longer than a deadline."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    condition: Callable[[], T],
    within: float = 15,
    every: float = 0.05,
    not_yet: type[Exception] = AssertionError,
) -> T:
    """Return the first truthy result of `condition`, called every `every` seconds.

    An AssertionError inside it counts as "not yet", and so does a `not_yet`. Raises AssertionError, with the last
    result, when there is none within `within` seconds.
    """
    end = time.monotonic() + within
    pause = threading.Event()
    while True:
        try:
            if result := condition():
                return result
            last = f"last result: {result!r}"
        except (AssertionError, not_yet) as error:
            last = str(error)
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s; {last}")
        pause.wait(every)
