import socket
import threading
import time
from collections.abc import Iterator

import pytest

from kafka_ui.wire.connection import Connection
from kafka_ui.wire.encoding import UnreadableResponse
from kafka_ui.wire.questions import METADATA


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_broker_that_hangs_is_given_up_in_time(server: socket.socket) -> None:
    began = time.monotonic()
    with Connection(address(server), 0.3) as connection, pytest.raises(TimeoutError):
        connection.ask(METADATA)
    assert time.monotonic() - began < 2


def test_broker_that_answers_byte_by_byte_does_not_get_more_time(server: socket.socket) -> None:
    stopped = threading.Event()

    def drip() -> None:
        client, _ = server.accept()
        with client:
            client.sendall(b"\0\0\1\0")
            while not stopped.wait(0.05):
                client.sendall(b"\0")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with Connection(address(server), 0.4) as connection, pytest.raises(TimeoutError):
            connection.ask(METADATA)
    finally:
        stopped.set()
        thread.join(5)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\5\0\0\0\x09\0", b"\0\0\0\0"]
)
def test_what_is_no_broker_is_unreadable(server: socket.socket, answer: bytes) -> None:
    def respond() -> None:
        client, _ = server.accept()
        with client:
            client.sendall(answer)
            client.recv(1000)

    thread = threading.Thread(target=respond)
    thread.start()
    with Connection(address(server), 5) as connection, pytest.raises(UnreadableResponse):
        connection.ask(METADATA)
    thread.join(5)
