"""Let one start or stop at a time work on a stack."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from local_stack.deadline import Deadline
from local_stack.errors import StackError

TIMEOUT_S = 300


@contextmanager
def exclusive_lock(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock on a file; wait for it if another process has it. The kernel releases the lock when its
    holder ends, in whatever way. Raises StackError after TIMEOUT_S."""
    with open(path, "w", encoding="utf-8") as file:
        if not _try_lock(file):
            say("waiting for another start or stop to finish")
            if not Deadline(TIMEOUT_S).poll(lambda: _try_lock(file)):
                raise StackError(f"Gave up after {TIMEOUT_S} s: another start or stop is still in progress.")
        yield


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
