import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from local_stack.paths import Paths

LAST_LINES = 100


def show(paths: Paths, names: Iterable[str], follow: bool, write: Callable[[str], None]) -> None:
    """The last lines of each service's log and, if asked, all that come, until Ctrl-C."""
    with ExitStack() as open_files:
        files = [open_files.enter_context(closing(Log(name, paths.log(name)))) for name in names]
        for line in chain.from_iterable(file.last() for file in files):
            write(line)
        pause = threading.Event()
        while follow:
            for line in chain.from_iterable(file.new() for file in files):
                write(line)
            pause.wait(0.3)


class Log:
    """One service's log, also across its rotation."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._file: BinaryIO | None = None

    def last(self) -> Iterable[str]:
        return deque(self.new(), LAST_LINES)

    def new(self) -> Iterable[str]:
        if self._file is None:
            if not self._path.exists():
                return
            self._file = self._path.open("rb")
        rotated = self._rotated(self._file)  # asked first: all that came before is in this file
        for line in self._file:
            yield f"{self._name:10} | {line.decode(errors='replace').rstrip()}"
        if rotated:
            self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rotated(self, file: BinaryIO) -> bool:
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            return True
