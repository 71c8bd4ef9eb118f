"""The system under test, as its user starts it: natively, here; in containers, see tests/compose/stack.py."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil

from local_stack.services import STORES
from local_stack.supervisord import processes
from tests.project import ROOT

BACKENDS = [*STORES]


def clone(folder: Path) -> None:
    """What git knows or would add, as it is now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class Stack:
    """`python -m local_stack` with a home of its own."""

    def __init__(self, home: Path):
        self.home = home

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        with tempfile.TemporaryDirectory(prefix="order-stream-") as folder:
            stack = cls(Path(folder))
            try:
                stack.run("start", *BACKENDS)
                yield stack
            finally:
                stack._kill_all()
                stack.run("stop")

    def _kill_all(self) -> None:
        """The data goes with the folder: nobody needs to sign off. Who restarts the others goes first."""
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
        return {"PRODUCER_PORT": "0", "CONSUMER_PORT": "0", "POSTGRES_FSYNC": "false"}

    def run(
        self, *arguments: str, check: bool = True, within: float = 180
    ) -> subprocess.CompletedProcess[str]:
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

    def services(self) -> dict[str, dict[str, Any]]:
        """Of each service: state, pid and health."""
        rows = json.loads(self.run("status", "--json", check=False).stdout)
        return {row["name"]: row for row in rows}

    def kill(self, service: str) -> int:
        """The process and its children, as a machine that runs out of memory might do it; its pid."""
        pid = int(self.services()[service]["pid"])
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            os.kill(process.pid, signal.SIGKILL)
        return pid

    @property
    def env(self) -> dict[str, str]:
        lines = (self.home / "env").read_text().splitlines()
        pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        return {name: value.strip("'\"") for name, value in pairs}
