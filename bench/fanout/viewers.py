"""The viewers' program, compiled and driven (viewers.c tells what it does)."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.fanout.events import STRIDE
from bench.fanout.servers import HERE

NO_COMPILER = "There is no C compiler for the viewers: apt-get install gcc libc6-dev"
GRACE_S = 10.0


@dataclass(frozen=True)
class Greeted:
    """How many streams have begun, and how long that took after they were asked for."""

    greeted: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    retries: int


@dataclass(frozen=True)
class Seen:
    """What all viewers together got. The latencies are those of a sample of them.

    missing: events that did not come although later ones did. told: such of which the server said so. behind: events
    that did not come in time. closed: streams that the server ended."""

    events: int
    missing: int
    told: int
    behind: int
    repeats: int
    closed: int
    p50_ms: float
    p99_ms: float
    cpu_s: float

    @property
    def is_whole(self) -> bool:
        """Whether everything has come, and to everybody."""
        return not (self.missing or self.told or self.behind or self.closed)


def compile_viewers(folder: Path) -> Path | None:
    """Return the program, or None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program = folder / "viewers"
    subprocess.run(
        [compiler, "-O2", "-o", str(program), str(HERE / "viewers.c"), "-lm"], check=True, timeout=60
    )
    return program


class Viewers:
    """Viewers in a process of their own. first: the number of the next event."""

    def __init__(self, program: Path, port: int, count: int, first: int = 1, receive_buffer: int = 0) -> None:
        """Open the streams. Raises RuntimeError when some did not begin."""
        arguments = [str(each) for each in (port, "/stream", count, first, STRIDE, receive_buffer)]
        self._process = subprocess.Popen(
            [program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.greeted = Greeted(**self._answer())
        if self.greeted.greeted < count:
            self.leave()
            raise RuntimeError(f"Only {self.greeted.greeted} of {count} streams have begun.")

    def pause(self) -> None:
        """Read nothing any more."""
        self._say("pause")

    def resume(self) -> None:
        """Read on."""
        self._say("resume")

    def reconnect(self) -> Greeted:
        """Close all streams and open them at once, each with its last id; return when they have begun."""
        self._say("reconnect")
        return Greeted(**self._answer())

    def finish(self, last: int, seconds: float = GRACE_S) -> Seen:
        """Wait until all have the last event, for at most `seconds`."""
        self._say(f"finish {last} {seconds}")
        seen = Seen(**self._answer())
        self.leave()
        return seen

    def leave(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def _say(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        """Return the next answer; the program bounds how long it takes. Raises RuntimeError when there is none."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The viewers have ended.")
        answer: dict[str, Any] = json.loads(line)
        return answer
