"""The viewers' program, on a server that sends what the test says."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bench.fanout.events import event
from bench.fanout.viewers import Seen, Viewers, compile_viewers

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1000\n\n"

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

Serve = Callable[[Sequence[bytes]], int]


def block(number: int) -> bytes:
    return b"data: " + event(number, 0) + b"\nid: %d\n\n" % number


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiled = compile_viewers(tmp_path_factory.mktemp("viewers"))
    assert compiled is not None
    return compiled


@pytest.fixture
def requests() -> list[bytes]:
    return []


@pytest.fixture
def serve(requests: list[bytes]) -> Iterator[Serve]:
    """Answer each connection with the head and some pieces, the first in one write; keep it open. Return the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    streams: list[socket.socket] = []

    def answer(pieces: Sequence[bytes]) -> None:
        try:
            while True:
                stream, _ = listener.accept()
                streams.append(stream)
                requests.append(stream.recv(4096))
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for piece in (HEAD + pieces[0], *pieces[1:]):
                    stream.sendall(piece)
        except OSError:
            return  # the test is over

    def begin(pieces: Sequence[bytes]) -> int:
        threading.Thread(target=answer, args=(pieces,), daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield begin
    listener.shutdown(socket.SHUT_RDWR)
    for each in (listener, *streams):
        each.close()


def watch(program: Path, port: int, last: int, count: int = 1) -> Seen:
    with Viewers(program, port, count) as viewers:
        return viewers.finish(last, 1.0)


def test_everything_came(program: Path, serve: Serve) -> None:
    seen = watch(program, serve([block(1) + block(2), block(3)]), last=3, count=3)
    assert (seen.events, seen.is_whole) == (9, True)


def test_events_that_are_cut_anywhere_are_counted_once(program: Path, serve: Serve) -> None:
    stream = b"".join(block(number) for number in range(1, 20))
    seen = watch(program, serve([stream[at : at + 97] for at in range(0, len(stream), 97)]), last=19)
    assert (seen.events, seen.repeats, seen.is_whole) == (19, 0, True)


def test_missing_event_is_seen(program: Path, serve: Serve) -> None:
    seen = watch(program, serve([block(1) + block(4)]), last=4)
    assert (seen.missing, seen.told, seen.behind) == (2, 0, 0)


def test_gap_that_is_told_is_another_thing(program: Path, serve: Serve) -> None:
    seen = watch(program, serve([block(1) + b"event: gap\ndata: {}\n\n" + block(4)]), last=4)
    assert (seen.missing, seen.told) == (0, 2)


def test_events_that_come_too_late(program: Path, serve: Serve) -> None:
    seen = watch(program, serve([block(1)]), last=3, count=2)
    assert (seen.missing, seen.behind, seen.is_whole) == (0, 4, False)


def test_repeats_are_counted(program: Path, serve: Serve) -> None:
    seen = watch(program, serve([block(1) + block(2) + block(2)]), last=2)
    assert (seen.repeats, seen.is_whole) == (1, True)


def test_reconnect_bears_the_last_id(program: Path, serve: Serve, requests: list[bytes]) -> None:
    port = serve([block(1) + block(2)])
    with Viewers(program, port, 2) as viewers:
        assert viewers.reconnect().greeted == 2
    assert [b"Last-Event-ID: 2\r\n" in request for request in requests] == [False, False, True, True]
