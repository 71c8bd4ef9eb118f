"""Which loopback port each service gets, kept from one start to the next."""

import json
import random
import socket
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path

from local_stack.errors import StackError

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


def assign(
    before: Mapping[str, int],
    fixed: Mapping[str, int],
    starting: Set[str],
    running: Set[str],
    free: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """The port of each name: the fixed one if there is one, else the last start's, else any that is free.
    What runs keeps its port; only ports of services that are about to start must be free."""
    spare = candidates(set(before.values()) | set(fixed.values()), free)

    def of(name: str) -> int:
        service = name.removesuffix("-controller")
        old, wish = before.get(name), fixed.get(name)
        if old and service in running:
            return old
        port = wish or old
        if port and (service not in starting or free(port)):
            return port
        if wish:
            raise StackError(_taken_wish(name, wish))
        if port and service in BROKERS and running & set(BROKERS):
            raise StackError(_taken_broker(service, port))
        return next(spare)

    return {name: of(name) for name in NAMES}


def candidates(taken: Set[int] = frozenset(), free: Callable[[int], bool] = is_free) -> Iterator[int]:
    for port in random.sample(OURS, len(OURS)):
        if port not in taken and free(port):
            yield port
    raise StackError(f"No port from {OURS.start} to {OURS.stop - 1} is free.")


def _taken_wish(name: str, port: int) -> str:
    setting = f"{name.upper()}_PORT"
    return (
        f"Port {port} for the {name} is taken by another program: "
        f"end that program, or set {setting} to another port ({setting}=0 takes a free one)."
    )


def _taken_broker(service: str, port: int) -> str:
    return (
        f"Port {port} of {service}, which the running brokers know, is taken by another program: "
        "end that program, or stop everything and start again."
    )
