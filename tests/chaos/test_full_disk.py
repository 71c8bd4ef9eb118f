"""The disk of a broker, and that of PostgreSQL, is full for a while: each is on a small file system of its own."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from local_stack.services import BROKERS, POSTGRES
from tests.chaos.proxied_stack import ProxiedStack
from tests.chaos.table import Row
from tests.chaos.trial import Fault, Trial

FULL_S = 10
CHUNK = 1 << 16


class SmallDisks(ProxiedStack):
    """A stack of which one broker and PostgreSQL each have a file system that can be filled."""

    def begin(self) -> None:
        super().begin()
        self.disks = {
            BROKERS[1]: self.home / "kafka" / BROKERS[1] / "data",
            POSTGRES: self.home / "postgres",
        }
        for service, folder in self.disks.items():
            self.run("stop", service)
            _move_to_small_disk(folder)
            self.run("start", service)

    def end(self) -> None:
        for folder in self.disks.values():
            subprocess.run(["umount", "--lazy", str(folder)], check=False, timeout=20)


def _move_to_small_disk(folder: Path) -> None:
    full = folder.with_suffix(".full")
    folder.rename(full)
    folder.mkdir(mode=0o700)
    used = sum(path.stat().st_blocks * 512 for path in full.rglob("*") if path.is_file())
    size = f"size={used // 1024 + (48 << 10)}k,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True, timeout=20)
    subprocess.run(["cp", "-a", f"{full}/.", str(folder)], check=True, timeout=60)
    shutil.rmtree(full)


def full(stack: SmallDisks, service: str, *, takes_orders: bool) -> Fault:
    ballast = stack.disks[service] / "ballast"

    def fill(until: threading.Event) -> None:
        """Take whatever is free, also what the service gives back by cleaning up."""
        with ballast.open("wb", buffering=0) as file:
            while not until.wait(0.05):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * CHUNK)

    @contextmanager
    def inject(trial: Trial) -> Iterator[None]:
        healed = threading.Event()
        filling = threading.Thread(target=fill, args=(healed,), daemon=True)
        filling.start()
        try:
            yield
        finally:
            healed.set()
            filling.join(10)
            ballast.unlink()

    return Fault(f"disk full for {FULL_S} s: {service}", inject, 90, FULL_S, takes_orders=takes_orders)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
@pytest.mark.timeout(400)
def test_disk_is_full(record: list[Row]) -> None:
    with SmallDisks.started() as stack:
        try:
            with Trial.started(stack) as trial:
                record.append(trial.run(full(stack, BROKERS[1], takes_orders=True)))
                record.append(trial.run(full(stack, POSTGRES, takes_orders=False)))
        finally:
            stack.end()
