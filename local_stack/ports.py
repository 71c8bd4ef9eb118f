"""Assign a loopback port to each service and keep it from one start to the next."""

import json
import random
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path

from local_stack.errors import StackError
from local_stack.services import BROKERS, CONNECT, MORE_PROJECTORS, POSTGRES, WEB, ZOOKEEPERS, port_setting

CONTROLLER_SUFFIX = "-controller"
CONTROLLERS = tuple(f"{broker}{CONTROLLER_SUFFIX}" for broker in BROKERS)
# Where the servers of the ensemble follow their leader, and where they elect it.
PEER_SUFFIX, ELECTION_SUFFIX = "-peer", "-election"
ENSEMBLE = tuple(f"{name}{suffix}" for suffix in ("", PEER_SUFFIX, ELECTION_SUFFIX) for name in ZOOKEEPERS)
PORT_NAMES = (POSTGRES, *BROKERS, *CONTROLLERS, CONNECT, *WEB, *MORE_PROJECTORS, *ENSEMBLE)
# Who knows the port of whom for as long as it runs.
KNOWN_TO: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(BROKERS, BROKERS),
    **dict.fromkeys(ZOOKEEPERS, (*ZOOKEEPERS, *BROKERS)),
}

# Below the ephemeral ports that systems lend to outgoing connections: a client that keeps dialling a stopped
# broker on an ephemeral port sooner or later gets that very port as its own, and the broker cannot come back.
PORT_RANGE = range(20_000, 30_000)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def load(path: Path) -> dict[str, int]:
    """Read the ports of the last start, by name; none before the first start."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def assign(
    previous: Mapping[str, int],
    configured: Mapping[str, int],
    starting: Set[str],
    running: Set[str],
    free: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """Return the port of each name: the configured one if there is one, else that of the last start, else any
    that is free. A running service keeps its port; only ports of services about to start must be free.
    Raises StackError when a port that cannot be replaced is taken."""
    spare = free_ports(set(previous.values()) | set(configured.values()), free)

    def port_of(name: str) -> int:
        service = _service_of(name)
        last, wanted = previous.get(name), configured.get(name)
        if last and service in running:
            return last
        port = wanted or last
        if port and (service not in starting or free(port)):
            return port
        if wanted:
            raise StackError(_configured_port_taken(name, wanted))
        if port and running & set(KNOWN_TO.get(service, ())):
            raise StackError(_known_port_taken(service, port))
        return next(spare)

    return {name: port_of(name) for name in PORT_NAMES}


def _service_of(name: str) -> str:
    for suffix in (CONTROLLER_SUFFIX, PEER_SUFFIX, ELECTION_SUFFIX):
        name = name.removesuffix(suffix)
    return name


def free_ports(taken: Set[int] = frozenset(), free: Callable[[int], bool] = is_free) -> Iterator[int]:
    """Yield free ports in random order, without those in `taken`. Raises StackError when none is left."""
    for port in random.sample(PORT_RANGE, len(PORT_RANGE)):
        if port not in taken and free(port):
            yield port
    raise StackError(f"No port from {PORT_RANGE.start} to {PORT_RANGE.stop - 1} is free.")


def _configured_port_taken(name: str, port: int) -> str:
    setting = port_setting(name).upper()
    return (
        f"Port {port} for the {name} is taken by another program: "
        f"stop that program, or set {setting} to another port ({setting}=0 takes a free one)."
    )


def _known_port_taken(service: str, port: int) -> str:
    return (
        f"Port {port} of {service}, which others that run know, is taken by another program: "
        "stop that program, or stop everything and start again."
    )
