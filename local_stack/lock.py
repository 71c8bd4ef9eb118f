import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from local_stack.deadline import Deadline
from local_stack.errors import StackError

LONGEST_S = 300


@contextmanager
def one_at_a_time(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """The kernel lets go of the lock when its holder ends, however that comes about."""
    with open(path, "w", encoding="utf-8") as file:
        if not _locked(file):
            say("another start or stop is at work here, waiting for it")
            if not Deadline(LONGEST_S).poll(lambda: _locked(file)):
                raise StackError("Another start or stop has been at work here for minutes: gave up waiting.")
        yield


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
