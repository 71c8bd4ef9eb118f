"""docs/runbook.md as data: its commands, what it shows of their output, and an operator who types them.

In a block that begins with ```console, a line after `$ ` is a command, and the lines below it are lines of what it
prints, in their order but not all of them; `…` stands for anything. A block is for both ways of running the project
unless `native` or `docker` follows `console`.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from tests.eventually import eventually
from tests.project import ROOT

PAGE = ROOT / "docs" / "runbook.md"
WAYS = ("native", "docker")
Way = Literal["native", "docker"]
# What only looks may be typed again until it shows what the page says: a fault takes a moment to be noticed.
LOOKS = re.compile(
    r"curl -s |\./start_project\.sh (status|logs|ledger|parked|dlq list)\b(?!.*--)|docker compose (ps|logs)\b"
)
FENCE = re.compile(r"^```console(?: (native|docker))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)

Played = TypeVar("Played", bound=Callable[..., None])
# The sections that a test plays, each with the ways it does. The tests say so with @plays.
PLAYED: dict[str, set[str]] = {}


@dataclass(frozen=True)
class Step:
    """A command of the page, and the lines of its output that the page shows."""

    command: str
    shown: tuple[str, ...]
    ways: tuple[str, ...]


def sections(text: str) -> dict[str, list[Step]]:
    """Return the steps by the heading they are under."""
    found: dict[str, list[Step]] = {}
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        steps = [
            step for way, block in FENCE.findall(body) for step in _steps(block, (way,) if way else WAYS)
        ]
        if steps:
            assert heading not in found, f"two sections are called {heading}"
            found[heading] = steps
    return found


def _steps(block: str, ways: tuple[str, ...]) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        yield Step(command, tuple(shown), ways)


def plays(heading: str, *ways: Way) -> Callable[[Played], Played]:
    """Mark a test that types the commands under a heading of the page, in these ways of running the project."""
    PLAYED.setdefault(heading, set()).update(ways or WAYS)
    return lambda test: test


def is_shown(shown: tuple[str, ...], output: str) -> bool:
    """Return whether these lines are in the output, in this order. Raises AssertionError with the first that is not."""
    left = iter(output.splitlines())
    for line in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in line.rstrip().split("…")))
        assert any(pattern.fullmatch(each.rstrip()) for each in left), f"{line!r} is not in:\n{output}"
    return True


@dataclass(frozen=True)
class Operator:
    """Someone who sits in the project's folder and types what the page says, word for word.

    names: what stands for the page's placeholders, such as ID, in the commands.
    """

    folder: Path
    environment: Mapping[str, str]
    way: Way

    def play(self, heading: str, **names: str) -> None:
        """Type all commands under a heading; each must print what the page shows."""
        for step in sections(PAGE.read_text())[heading]:
            if self.way in step.ways:
                self._do(step, names)

    def type(self, command: str, within: float = 180) -> str:
        """Type one command; return what it prints. Its exit code is the operator's to read, as on the page."""
        return self._run(command, within).stdout

    def _run(self, command: str, within: float = 180) -> subprocess.CompletedProcess[str]:
        typed = f"set -a; . .local/env; set +a; {command}"
        return subprocess.run(
            ["bash", "-c", typed],
            cwd=self.folder,
            env=os.environ | dict(self.environment),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=within,
        )

    @contextmanager
    def begin(self, heading: str, **names: str) -> Iterator["Running"]:
        """Type the one command under a heading, which goes on; wait until it prints what the page shows."""
        (step,) = sections(PAGE.read_text())[heading]
        command, *shown = (_named(line, names) for line in (step.command, *step.shown))
        with tempfile.NamedTemporaryFile("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=os.environ | dict(self.environment),
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            running = Running(process, Path(output.name))
            try:
                eventually(lambda: is_shown(tuple(shown), running.said()), within=60, every=0.2)
                yield running
            finally:
                process.kill()
                process.wait(20)

    def _do(self, step: Step, names: Mapping[str, str]) -> None:
        command, *shown = (_named(line, names) for line in (step.command, *step.shown))
        if LOOKS.match(command):
            eventually(lambda: is_shown(tuple(shown), self.type(command)), within=60, every=0.5)
        else:
            done = self._run(command)
            is_shown(tuple(shown), done.stdout)
            says_error = any(line.startswith("error: ") for line in shown)
            assert says_error or done.returncode == 0, f"{command}: {done.stdout}"


@dataclass(frozen=True)
class Running:
    """A command that goes on until it is ended."""

    process: "subprocess.Popen[str]"
    output: Path

    def said(self) -> str:
        """Return what it has printed so far."""
        return self.output.read_text()

    def end(self) -> None:
        """End it as Ctrl-C or a service manager does. Raises AssertionError when it takes that for a failure."""
        self.process.terminate()
        assert self.process.wait(30) == 0, self.said()


def _named(line: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        line = re.sub(rf"\b{name}\b", value, line)
    return line
