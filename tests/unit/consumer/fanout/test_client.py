"""A viewer's socket, on real sockets."""

import socket
import sys
from collections.abc import Iterator

import pytest

from consumer.fanout.client import Client
from consumer.fanout.hijack import hijack
from consumer.fanout.viewer import Viewer
from consumer.ring.position import Position
from tests.clock import FakeClock
from tests.eventually import eventually
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID

VIEWER = Viewer(0, Position(TOPIC_ID, (0,)))


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection: the server's and the browser's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        browser = socket.create_connection(listening.getsockname(), timeout=5)
        server, _ = listening.accept()
    with server, browser:
        yield server, browser


def drain(browser: socket.socket, most: int) -> int:
    """Read up to `most` bytes; return how many there were."""
    read = 0
    browser.settimeout(0.2)
    try:
        while read < most and (data := browser.recv(min(1 << 16, most - read))):
            read += len(data)
    except TimeoutError:
        return read
    return read


def test_progress_is_renewed_by_whatever_the_viewer_takes(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    """One that reads slowly is not cut: only one that takes nothing is."""
    server, browser = connection
    clock = FakeClock()
    client = Client(server, False, VIEWER, clock)
    clock.now += 5
    assert not client.send(b"x" * (16 << 20))
    assert client.progress_at == clock.now

    def takes_nothing() -> bool:
        clock.now += 1
        assert not client.send_rest()
        return client.progress_at < clock.now

    eventually(takes_nothing)
    assert drain(browser, 4 << 20)
    eventually(lambda: not takes_nothing())


def test_no_byte_of_a_write_is_lost_however_often_the_socket_is_full(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    server, browser = connection
    client, size = Client(server, False, VIEWER, FakeClock()), 8 << 20
    is_complete, read = client.send(b"x" * size), 0
    while not is_complete:
        read += drain(browser, 1 << 20)
        is_complete = client.send_rest()
    assert read + drain(browser, size) == size


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_USER_TIMEOUT is Linux's")
def test_kernel_gives_up_on_a_sleeping_machine_and_keeps_little_for_it(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    server, _ = connection
    client = Client(server, False, VIEWER, FakeClock())
    assert client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
    assert (
        client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 128 << 10
    )  # Linux tells twice what was asked for
    assert not client.sock.getblocking()


def test_connection_that_was_taken_over_leaves_gunicorn_one_that_is_closed(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    """Otherwise gunicorn waits for a request on it, and keeps a descriptor for each stream."""
    server, browser = connection
    taken: list[socket.socket] = []
    environ = {"gunicorn.socket": server, "SERVER_PROTOCOL": "HTTP/1.1"}
    assert list(hijack(environ, lambda sock, chunked: taken.append(sock))) == [b""]
    server.settimeout(5)
    assert server.recv(1) == b""
    with taken[0]:
        taken[0].sendall(b"event")
        assert browser.recv(5) == b"event"
    server.close()
    assert browser.recv(1) == b""
