"""The native stack with a proxy on every link, and points at which its processes die when they are asked to."""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil

from local_stack import addresses, ports
from local_stack.addresses import Addresses
from local_stack.paths import Paths
from local_stack.services import CONSUMER, POSTGRES, PRODUCER
from local_stack.supervisord import processes
from tests.chaos.launch import PROXIED_STORES, VARIABLE, proxied
from tests.chaos.links import Links
from tests.stack import Stack

DEATH_POINTS = Path(__file__).with_name("death_points")


class ProxiedStack(Stack):
    """links: the proxies. Customers and viewers come through them too, by the addresses in `env`."""

    # What has a proxy in front of it.
    servers: Sequence[str] = (*PROXIED_STORES, PRODUCER, CONSUMER)
    # Further variables for all processes of the stack.
    variables: Mapping[str, str] = {}

    def __init__(self, home: Path):
        super().__init__(home)
        spare = ports.free_ports()
        self.proxies = {name: next(spare) for name in self.servers}
        self.links = Links(self.proxies, self._own_port, self._clients)

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        with tempfile.TemporaryDirectory(prefix="order-stream-") as folder:
            stack = cls(Path(folder))
            with stack.links, proxied(stack.proxies):
                try:
                    stack.death_points.mkdir()
                    stack.begin()
                    yield stack
                finally:
                    stack._kill_all()
                    stack.run("stop")

    def begin(self) -> None:
        self.run("start")

    @property
    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.chaos.launch", "--home", str(self.home)]

    @property
    def death_points(self) -> Path:
        return self.home / "death_points"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            VARIABLE: json.dumps(self.proxies),
            "PYTHONPATH": str(DEATH_POINTS),
            "DEATH_POINTS": str(self.death_points),
            **self.variables,
        }

    @property
    def env(self) -> dict[str, str]:
        names = {PRODUCER: "PRODUCER_URL", CONSUMER: "CONSUMER_URL"}
        through = set(names) & set(self.proxies)
        return super().env | {names[each]: f"http://127.0.0.1:{self.proxies[each]}" for each in through}

    def url_of(self, service: str) -> str:
        """Return a service's own address, past its proxy."""
        return f"http://127.0.0.1:{self._own_port(service)}"

    def owner_url(self) -> str:
        """Return the address of the database, past its proxy."""
        own = self._own_port(POSTGRES)
        return self.env["DATABASE_URL"].replace(f":{self.proxies.get(POSTGRES, own)}/", f":{own}/")

    def main_process(self, service: str) -> psutil.Process:
        return processes.find(self.home)[service][0]

    def signal(self, service: str, number: signal.Signals, *, whole: bool = False) -> None:
        """Send a service's main process a signal, or all of its processes."""
        family = processes.find(self.home)[service]
        for process in family if whole else family[:1]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def let_run(self, *services: str) -> None:
        """Let frozen processes go on."""
        for service in services:
            self.signal(service, signal.SIGCONT, whole=True)

    def kill(self, service: str) -> int:
        """Kill all processes of a service at once; return the main process's id."""
        family = processes.find(self.home)[service]
        for process in family:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        return family[0].pid

    def _own_port(self, name: str) -> int:
        return ports.load(self.home / "ports.json")[name]

    def _clients(self) -> dict[tuple[int, int], str]:
        """Return which service has each connection to a proxy, by the ports of its two ends.

        All connections are read once: the kernel lists those of the whole machine, whichever process is asked for.
        """
        ports = set(self.proxies.values())
        services = {
            process.pid: service
            for service, family in processes.find(self.home).items()
            for process in family
        }
        return {
            (each.laddr.port, each.raddr.port): services[each.pid]
            for each in _connections()
            if each.raddr and each.raddr.port in ports and each.pid in services
        }


def _connections() -> Sequence[Any]:
    return psutil.net_connections("tcp")


def addresses_of(stack: ProxiedStack) -> Addresses:
    """Return the addresses that the stack's own programs are given."""
    with proxied(stack.proxies):
        return addresses.load(Paths(stack.home))
