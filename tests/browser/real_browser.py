"""A browser that a test starts as a process of its own, with as much of an interface as Firefox and Chromium share.

Playwright drives no Firefox but its own, and turns off what keeps a page that one comes back to."""

import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.eventually import eventually

SLOW_S = 60  # Firefox takes its time on a busy machine
# In every page, before its own scripts. later: how many milliseconds the page's clock for durations has been put on.
WATCH = """
    window.problems = [];
    window.later = 0;
    addEventListener("error", (event) => problems.push(event.message));
    addEventListener("unhandledrejection", (event) => problems.push(String(event.reason)));
    addEventListener("securitypolicyviolation", (event) => problems.push(event.violatedDirective));
    const elapsed = performance.now.bind(performance);
    performance.now = () => elapsed() + later;
"""


class Tab(ABC):
    """A tab with a page."""

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page: a text, a number, or whether something is so. Raises
        AssertionError when the page is just being left."""

    @abstractmethod
    def navigate(self, url: str) -> None:
        """Go to another page."""

    @abstractmethod
    def bring_to_front(self) -> None:
        """Show the tab: the others of its window are hidden."""

    @abstractmethod
    def close(self) -> None:
        """Close the tab."""

    def wait_for(self, expression: str, value: object = True) -> None:
        """Wait until an expression has a value."""

        def has_value() -> bool:
            found = self.evaluate(expression)
            assert found == value, f"{expression}: {found!r}, not {value!r}"
            return True

        eventually(has_value, SLOW_S)

    def text(self, name: str) -> str:
        """Return the text of an element by its id."""
        return str(self.evaluate(f"document.getElementById({name!r}).textContent"))

    def click(self, name: str) -> None:
        """Click an element by its id."""
        self.evaluate(f"document.getElementById({name!r}).click()")

    def go_back(self) -> None:
        """Go back in the tab's history, as its button does."""
        self.evaluate("void setTimeout(() => history.back())")  # the answer comes before the page is gone


class RealBrowser(ABC):
    """A browser without windows. process: the first of its processes."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process

    @abstractmethod
    def open(self, url: str, script: str = "") -> Tab:
        """Open a page in a new tab. script: runs in it before its own."""

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Stop all of its processes, as a laptop does that is closed, for the length of the block."""
        processes = _tree(self._process)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


def find(names: Sequence[str]) -> str | None:
    """Return the path of the first of these programs that is installed."""
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def started(
    command: Sequence[str | Path], folder: Path, listening: re.Pattern[str]
) -> Iterator[tuple[psutil.Process, str]]:
    """Start a browser that keeps all it has in a folder, and end it after the block.

    listening: what it logs when it takes commands. Yield its process, and the first group of that."""
    log = folder / "log"
    with log.open("w") as output:
        process = psutil.Popen(
            command,
            env=os.environ | {"HOME": str(folder)},  # another's home keeps root's Firefox from starting
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, eventually(_match(process, log, listening), SLOW_S)[1]
    finally:
        for each in _tree(process):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait(SLOW_S)


def _match(process: psutil.Popen, log: Path, listening: re.Pattern[str]) -> "Callable[[], re.Match[str]]":
    def match() -> re.Match[str]:
        assert process.is_running(), log.read_text()
        found = listening.search(log.read_text())
        assert found
        return found

    return match


def _tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]
