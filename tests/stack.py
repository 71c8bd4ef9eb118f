"""The system under test, started as users start it: natively here, in containers in tests/compose/stack.py."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import psutil

from local_stack.lifecycle import status
from local_stack.paths import Paths
from local_stack.services import STORES
from local_stack.supervisord import processes
from tests.project import ROOT


def clone(folder: Path) -> None:
    """Copy the working tree, uncommitted and untracked files included, without what git ignores."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def borrow_environment(home: Path, folder: Path) -> None:
    """Make the environment that start_project.sh would make, with the packages of the one that runs the tests."""
    place = home / "venv"
    venv.create(place, symlinks=True)
    (site_packages,) = place.glob("lib/python*/site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    lock = folder / "local_stack" / "requirements.txt"
    (place / "made-from").write_text(sha256(lock.read_bytes()).hexdigest())


class Stack:
    """`python -m local_stack` with a home of its own.

    optional: the services that its settings need beside those that run always."""

    optional: frozenset[str] = frozenset()

    def __init__(self, home: Path):
        self.home = home

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """Start the stores in a temporary home; kill everything afterwards."""
        with tempfile.TemporaryDirectory(prefix="order-stream-") as folder:
            stack = cls(Path(folder))
            try:
                stack.run("start", *sorted(stack.optional), *STORES)
                yield stack
            finally:
                stack._kill_all()
                stack.run("stop")

    @classmethod
    @contextmanager
    def found(cls, home: str) -> Iterator[Self]:
        """Use the stores that run in this home, and leave them running."""
        yield cls(Path(home))

    def _kill_all(self) -> None:
        """Kill the supervisor, which would restart the others, and then all others.

        The data is deleted with the folder, so no process needs an orderly end.
        """
        found = processes.find(self.home)
        for process in sum(found.values(), start=found.pop(processes.SUPERVISOR, [])):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    @property
    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "local_stack", "--home", str(self.home)]

    @property
    def folder(self) -> Path:
        return ROOT

    @property
    def environment(self) -> dict[str, str]:
        ports = dict.fromkeys(("PRODUCER_PORT", "CONSUMER_PORT", "PROJECTOR_PORT", "KAFKA_UI_PORT"), "0")
        return {**ports, "POSTGRES_FSYNC": "false"}

    def run(
        self, *arguments: str, check: bool = True, within: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the stack for at most `within` seconds.

        Raises AssertionError with its output when it fails and `check` is set.
        """
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env=os.environ | self.environment,
            text=True,
            capture_output=True,
            timeout=within,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def is_healthy(self) -> bool:
        """Return True, or raise AssertionError with what is not healthy, and why."""
        unhealthy = [each for each in status.read(Paths(self.home), self.optional) if not each.ok]
        assert not unhealthy, unhealthy
        return True

    def services(self) -> dict[str, dict[str, Any]]:
        """Return the state, pid and health of each service by its name, as `status --json` does: without a process
        for each time a test asks."""
        return {each.name: each.as_dict() for each in status.read(Paths(self.home), self.optional)}

    def last_words(self) -> str:
        """Return the last lines of each service that is not healthy."""
        said = []
        for name, service in self.services().items():
            if service["health"] != "healthy":
                lines = self.run("logs", name, check=False)
                said.append(f"{name}: {service}\n{lines.stdout}{lines.stderr}")
        return "\n".join(said)

    def kill(self, service: str) -> int:
        """Kill a service's process with its children, as an out-of-memory killer might; return its pid."""
        pid = int(self.services()[service]["pid"])
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            os.kill(process.pid, signal.SIGKILL)
        return pid

    @property
    def env(self) -> dict[str, str]:
        """The addresses of the services, by the names of their environment variables."""
        lines = (self.home / "env").read_text().splitlines()
        pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        return {name: value.strip("'\"") for name, value in pairs}
