"""Which loopback port each service gets, kept from one start to the next."""

import json
import random
import socket
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from local_stack.errors import StackError
from local_stack.layout import write_private

BROKERS = ("kafka-1", "kafka-2", "kafka-3")
CONTROLLERS = tuple(f"{broker}-controller" for broker in BROKERS)
NAMES = ("postgres", *BROKERS, *CONTROLLERS, "producer", "consumer")

# Below the ports that systems lend to outgoing connections: from those, a client that keeps dialling a broker
# which is down sooner or later gets that very port as its own, and the broker cannot come back.
OURS = range(20_000, 30_000)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def kept(path: Path) -> dict[str, int]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


def assign(path: Path, fixed: Mapping[str, int], starting: Set[str], running: Set[str]) -> dict[str, int]:
    """The port of each name. Only ports of services that are about to start must be free."""
    before = kept(path)
    candidates = _candidates(taken=set(before.values()) | set(fixed.values()))
    ports = {}
    for name in NAMES:
        service = name.removesuffix("-controller")
        old, wish = before.get(name), fixed.get(name, 0)
        if old and service in running:
            ports[name] = old
        elif wish:
            ports[name] = _demand(name, wish) if service in starting else wish
        elif old and (service not in starting or is_free(old)):
            ports[name] = old
        elif old and service in BROKERS and running & set(BROKERS):
            raise StackError(
                f"Port {old} of {service}, which the running brokers know, is taken by another program: "
                "end that program, or stop everything and start again."
            )
        else:
            ports[name] = next(candidates)
    write_private(path, json.dumps(ports, indent=2) + "\n")
    return ports


def two_free() -> tuple[int, int]:
    candidates = _candidates(taken=frozenset())
    return next(candidates), next(candidates)


def _demand(name: str, port: int) -> int:
    if is_free(port):
        return port
    setting = f"{name.upper()}_PORT"
    raise StackError(
        f"Port {port} for the {name} is taken by another program: "
        f"end that program, or set {setting} to another port ({setting}=0 takes a free one)."
    )


def _candidates(taken: Set[int]) -> Iterator[int]:
    for port in random.sample(OURS, len(OURS)):
        if port not in taken and is_free(port):
            yield port
    raise StackError(f"No port from {OURS.start} to {OURS.stop - 1} is free.")
