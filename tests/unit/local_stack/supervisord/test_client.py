import socket
import threading
from pathlib import Path

import pytest

from local_stack.supervisord.client import Supervisor


def answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngarbage",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>",
    ],
)
def test_socket_where_something_else_answers_has_no_supervisord(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(10)
        thread = threading.Thread(target=answer_once, args=(listener, answer))
        thread.start()
        assert not Supervisor(path).answers()
        thread.join(10)


def test_socket_that_is_not_there_has_no_supervisord(tmp_path: Path) -> None:
    assert not Supervisor(tmp_path / "s").answers()
