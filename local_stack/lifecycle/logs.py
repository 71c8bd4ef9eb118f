"""Show the logs of services and follow them, also across log rotation."""

import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from local_stack.paths import Paths

MAX_LINES = 100
POLL_S = 0.3
JAVA_EXCEPTION = re.compile(r"(?:[a-z_0-9]+\.){2,}[A-Z]\w*(?:Exception|Error): ")


def show(paths: Paths, names: Iterable[str], follow: bool, write: Callable[[str], None]) -> None:
    """Write the last lines of each service's log. With `follow`, then write all new lines until Ctrl-C."""
    with ExitStack() as open_files:
        tails = [open_files.enter_context(closing(LogTail(name, paths.log(name)))) for name in names]
        for line in chain.from_iterable(tail.last_lines() for tail in tails):
            write(line)
        never_set = threading.Event()
        while follow:
            for line in chain.from_iterable(tail.new_lines() for tail in tails):
                write(line)
            never_set.wait(POLL_S)


def last_line(log: Path) -> str:
    """Return the last non-empty line of a log and where the whole of it is.

    A Java program's is the last exception near the end: after it come its frames, and farewells.
    """
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    said = [line.strip() for line in lines if line.strip()] or ["it wrote no output"]
    exceptions = [line for line in said[-MAX_LINES:] if JAVA_EXCEPTION.match(line)]
    return f"{(exceptions or said)[-1]} (the whole log: {log})"


class LogTail:
    """Reads one service's log from where the last read ended, each line prefixed with the service's name."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._file: BinaryIO | None = None

    def last_lines(self) -> Iterable[str]:
        return deque(self.new_lines(), MAX_LINES)

    def new_lines(self) -> Iterable[str]:
        if self._file is None:
            if not self._path.exists():
                return
            self._file = self._path.open("rb")
        rotated = self._is_rotated(self._file)  # asked before reading: all earlier lines are in this file
        for line in self._file:
            yield f"{self._name:10} | {line.decode(errors='replace').rstrip()}"
        if rotated:
            self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _is_rotated(self, file: BinaryIO) -> bool:
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            return True
