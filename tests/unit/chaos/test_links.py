"""The proxies of `make chaos`: what is cut does not arrive until it is healed, what is slow arrives later."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from local_stack import ports
from tests.chaos.links import OUTSIDE, Links, Rule

SHORT_S = 0.3


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""

    def serve(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):  # its peer may be cut off
            while data := connection.recv(1000):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


class Ends:
    """Who has which connection, as the stack's processes would tell it."""

    def __init__(self) -> None:
        self.owners: dict[tuple[int, int], str] = {}

    def connect(self, port: int, owner: str) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port), 5)
        self.owners[(client.getsockname()[1], port)] = owner
        return client


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def links(echo: int, ends: Ends) -> Iterator[Links]:
    port = next(ports.free_ports())
    with Links({"echo": port}, lambda name: echo, lambda: ends.owners) as links:
        yield links


def arrives(client: socket.socket, within_s: float = 5) -> bool:
    client.settimeout(within_s)
    try:
        return client.recv(1000) != b""
    except TimeoutError:
        return False


def test_bytes_get_through(links: Links, ends: Ends) -> None:
    with ends.connect(links.ports["echo"], "relay") as client:
        client.sendall(b"hello")
        assert arrives(client)


def test_cut_link_carries_nothing_until_it_is_healed(links: Links, ends: Ends) -> None:
    with ends.connect(links.ports["echo"], "relay") as client:
        client.sendall(b"one")
        assert arrives(client)
        with links.rules([("relay", "echo")], Rule(cut=True)):
            client.sendall(b"two")
            assert not arrives(client, SHORT_S)
        assert arrives(client)


def test_connection_made_while_the_link_is_cut_stays_silent(links: Links, ends: Ends) -> None:
    with links.rules([("relay", "echo")], Rule(cut=True)):
        client = ends.connect(links.ports["echo"], "relay")
        client.sendall(b"one")
        assert not arrives(client, 2 * SHORT_S)
    with client:
        assert arrives(client)


def test_links_of_others_stay_open(links: Links, ends: Ends) -> None:
    others = [("relay", "echo"), (OUTSIDE, "echo")]
    with ends.connect(links.ports["echo"], "producer") as client, links.rules(others, Rule(cut=True)):
        client.sendall(b"one")
        assert arrives(client)


def test_client_that_nobody_knows_is_outside(links: Links) -> None:
    with socket.create_connection(("127.0.0.1", links.ports["echo"]), 5) as client:
        client.sendall(b"one")
        assert arrives(client)
        with links.rules([(OUTSIDE, "echo")], Rule(cut=True)):
            client.sendall(b"two")
            assert not arrives(client, SHORT_S)


def test_slow_link_delays_each_way_and_keeps_the_rate(links: Links, ends: Ends) -> None:
    slow = links.rules([("relay", "echo")], Rule(delay_s=0.2))
    with ends.connect(links.ports["echo"], "relay") as client, slow:
        client.settimeout(5)
        began = time.monotonic()
        for _ in range(10):
            client.sendall(b"x" * 50)
        received = 0
        while received < 500:
            received += len(client.recv(1000))
        passed = time.monotonic() - began
    assert passed >= 0.4  # no less than the delay there and back; how much more says nothing


def test_end_of_one_side_reaches_the_other(links: Links, ends: Ends) -> None:
    with ends.connect(links.ports["echo"], "relay") as client:
        client.sendall(b"one")
        assert arrives(client)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(5)
        assert client.recv(10) == b""


def test_server_that_is_down_closes_the_connection() -> None:
    spare = ports.free_ports()
    proxy, dead = next(spare), next(spare)
    with (
        Links({"echo": proxy}, lambda name: dead, dict),
        socket.create_connection(("127.0.0.1", proxy), 5) as client,
    ):
        client.settimeout(5)
        assert client.recv(10) == b""
