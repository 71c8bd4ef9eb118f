"""The system in containers, started with start_project.sh in a clone of its own."""

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import requests

from local_stack.services import BROKERS, CDC, NAMES
from tests.stack import Stack, clone

GATEWAY = "gateway"
# tests/unit/project/test_compose_file.py compares these with docker-compose.yml.
SERVICES = (*NAMES, GATEWAY)
# Only with PUBLISHER=debezium.
PROFILES = CDC
ONE_SHOTS = ("secrets", "migrate", "topics")
BROKER_PORTS = {broker: f"{broker.upper().replace('-', '_')}_PORT" for broker in BROKERS}
PORTS = ("PRODUCER_PORT", "CONSUMER_PORT", "PROJECTOR_PORT", "KAFKA_UI_PORT", *BROKER_PORTS.values())
# Two runs at once on one engine need two names.
PROJECT = os.environ.get("TEST_COMPOSE_PROJECT", "order-stream-test")
# The producer of some tests runs on this machine and must reach Kafka; users' stacks do not publish its ports.
FILES = "docker-compose.yml:tests/compose/reachable.yml"
KILL = ("docker", "run", "--rm", "--pid", "host", "--privileged", "--network", "none", "python:3.13-slim")


def free_ports(count: int) -> list[int]:
    """Return the numbers of free ports on this machine's loopback address."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in sockets]


def docker(*arguments: str) -> str:
    """Run a docker command and return its output. Raises AssertionError when it fails."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done.stdout


class ComposeStack(Stack):
    """`./start_project.sh --docker` as a project of its own, on free ports, with volumes of its own."""

    def __init__(self, folder: Path, project: str = PROJECT, files: str = FILES, *options: str) -> None:
        super().__init__(folder / ".local")
        self._folder, self._options = folder, options
        self.ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        self.settings = {"COMPOSE_PROJECT_NAME": project, "COMPOSE_FILE": files} | self.ports

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        with tempfile.TemporaryDirectory(prefix="order-stream-") as folder:
            clone(Path(folder))
            stack = cls(Path(folder))
            stack.run("reset", "--yes")  # what an interrupted run left behind
            try:
                stack.run("start", within=900)
                yield stack
            finally:
                stack.run("reset", "--yes")

    @property
    def command(self) -> Sequence[str]:
        return ["./start_project.sh", "--docker", *self._options]

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def environment(self) -> dict[str, str]:
        return self.settings

    @property
    def env(self) -> dict[str, str]:
        brokers = ",".join(f"127.0.0.1:{self.ports[port]}" for port in BROKER_PORTS.values())
        return {
            "PRODUCER_URL": f"http://127.0.0.1:{self.ports['PRODUCER_PORT']}",
            "CONSUMER_URL": f"http://127.0.0.1:{self.ports['CONSUMER_PORT']}",
            "PROJECTOR_URL": f"http://127.0.0.1:{self.ports['PROJECTOR_PORT']}",
            "KAFKA_BOOTSTRAP_SERVERS": brokers,
        }

    def is_healthy(self) -> bool:
        """Return True, or raise AssertionError with the table and what each service says of itself."""
        done = self.run("status", check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{self._verdicts()}"
        return True

    def _verdicts(self) -> str:
        """Return the bodies of /health/ready, for a failure's message."""
        said = []
        for name in ("PRODUCER_URL", "CONSUMER_URL", "PROJECTOR_URL"):
            try:
                said.append(requests.get(f"{self.env[name]}/health/ready", timeout=10).text)
            except requests.RequestException as error:
                said.append(f"{name}: {error}")
        return "\n".join(said)

    def services(self) -> dict[str, dict[str, Any]]:
        rows = json.loads(self.run("status", "--json", check=False).stdout)
        return {row["name"]: row for row in rows}

    def kill(self, service: str) -> int:
        """Kill the container's first process, with which the kernel ends the others; return its pid.

        Not by `docker kill`: after that Docker takes the container for stopped on purpose and does not restart
        it. From a privileged container, since the process that runs the tests may lack the right.
        """
        pid = int(self.services()[service]["pid"])
        subprocess.run([*KILL, "/bin/sh", "-c", f"kill -9 {pid}"], check=True, timeout=60)
        return pid

    def compose(self, *arguments: str, **settings: str) -> str:
        """Run a command of Docker Compose and return its output. Raises AssertionError when it fails."""
        done = self.try_compose(*arguments, **settings)
        assert done.returncode == 0, f"docker compose {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def try_compose(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", *arguments],
            cwd=self.folder,
            env=os.environ | self.environment | settings,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """Return what `docker inspect` says about each container, including those that have ended."""
        ids = self.compose("ps", "--all", "--quiet", *services).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return found
