"""Instances of the projector as processes, each under gunicorn and with a name of its own in the group."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.publish import wait_until
from producer.config import Settings

READY_S = 60


class Instance:
    """`gunicorn projector:create_app()` of the checkout in `folder`, on a free port."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        self._folder, self._environment = folder, environment
        self._process: psutil.Popen | None = None

    def spawn(self) -> None:
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-b",
            f"127.0.0.1:{self._port}",
            "projector:create_app()",
        ]
        self._process = psutil.Popen(
            command, cwd=self._folder, env=self._environment, stderr=subprocess.DEVNULL
        )

    @property
    def processes(self) -> list[psutil.Process]:
        """The master and its worker."""
        return [self._process, *self._process.children()] if self._process else []

    def partitions(self) -> list[int]:
        """Return the partitions that it reads now; none while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health/ready", timeout=5) as reply:
                found: list[int] = json.load(reply)["checks"]["group"]["partitions"]
                return found
        except OSError:
            return []

    def kill(self) -> None:
        """End it as an out-of-memory killer might."""
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


@contextmanager
def running(number: int, folder: Path, settings: Settings, partitions: int) -> Iterator[list[Instance]]:
    """Run so many instances as a group of their own; give them when all partitions are shared out evenly."""
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC": settings.kafka_topic,
        "PROJECTOR_GROUP": f"bench-{uuid.uuid4().hex[:8]}",
    }
    environment.pop("PYTHONPATH", None)  # its own folder comes first in the path, and must be the only one
    instances = [
        Instance(folder, environment | {"PROJECTOR_INSTANCE_ID": f"bench-{each}"}) for each in range(number)
    ]
    try:
        for each in instances:
            each.spawn()
        wait_until(lambda: _are_shared_out(instances, partitions), READY_S, pause_s=0.2)
        yield instances
    finally:
        for each in instances:
            each.end()


def _are_shared_out(instances: list[Instance], partitions: int) -> bool:
    found = [each.partitions() for each in instances]
    shares = [len(each) for each in found]
    return (
        sorted(number for each in found for number in each) == list(range(partitions))
        and max(shares) - min(shares) <= 1
    )


def cpu_s(processes: list[psutil.Process]) -> float:
    """Return the CPU time of processes so far, in seconds, with that of their children that have ended."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue  # it has ended since it was found
        total += times.user + times.system + times.children_user + times.children_system
    return total
