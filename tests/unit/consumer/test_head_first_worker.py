"""Which connections gunicorn's main loop gives to a thread, in the consumer and in the projector."""

import runpy
import socket
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from tests.project import ROOT

HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
SERVICES = ("consumer_service", "projector_service")


class FakePool:
    """A thread pool that starts nothing. submitted: the connections that were given to a thread."""

    def __init__(self) -> None:
        self.submitted: list[Any] = []

    def submit(self, _handle: object, conn: Any) -> Any:
        self.submitted.append(conn)
        return SimpleNamespace(add_done_callback=lambda callback: None)


class WorkerHarness:
    """A worker without its loop, with one connection; `browser` is the other end."""

    def __init__(self, service: str) -> None:
        module = runpy.run_path(str(ROOT / service / "head_first_worker.py"))
        config = Config()
        self.pool = FakePool()
        self.worker = module["HeadFirstWorker"](1, 1, [], SimpleNamespace(), 30, config, None)
        self.worker.tpool, self.worker.nr_conns = self.pool, 1
        server, self.browser = socket.socketpair()
        self.conn = module["Connection"](config, server, ("127.0.0.1", 1), ("127.0.0.1", 2))
        self.conn.worker = self.worker

    def close(self) -> None:
        self.browser.close()
        self.conn.sock.close()
        self.worker.tmp.close()


@pytest.fixture(params=SERVICES)
def harness(request: pytest.FixtureRequest) -> Iterator[WorkerHarness]:
    with closing(WorkerHarness(request.param)) as harness:
        yield harness


def serve_first_request(harness: WorkerHarness, data: bytes) -> None:
    """Parse the first request of `data`, as a thread does; what follows it is read ahead."""
    harness.browser.sendall(data)
    harness.conn.init()
    next(harness.conn.parser)


def test_connection_gets_a_thread_once_its_head_is_complete(harness: WorkerHarness) -> None:
    harness.browser.sendall(HEAD[:-2])
    harness.worker.enqueue_req(harness.conn)
    assert harness.pool.submitted == []
    harness.browser.sendall(HEAD[-2:])
    harness.worker._recheck_heads()
    assert harness.pool.submitted == [harness.conn]


def test_pipelined_request_gets_a_thread_at_once(harness: WorkerHarness) -> None:
    serve_first_request(harness, HEAD + HEAD)
    harness.worker.enqueue_req(harness.conn)
    assert harness.pool.submitted == [harness.conn]


def test_pipelined_request_gets_no_thread_before_its_head_is_complete(harness: WorkerHarness) -> None:
    serve_first_request(harness, HEAD + HEAD[:1])
    harness.worker.enqueue_req(harness.conn)
    assert harness.pool.submitted == []
    harness.browser.sendall(HEAD[1:])
    harness.worker._recheck_heads()
    assert harness.pool.submitted == [harness.conn]


def test_head_that_is_too_large_to_wait_for_is_refused(harness: WorkerHarness) -> None:
    harness.conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    harness.browser.sendall(HEAD[:-2] + b"X: %s\r\n" % (b"y" * (64 << 10)))
    harness.worker.enqueue_req(harness.conn)
    assert harness.pool.submitted == []
    assert harness.browser.recv(100).startswith(b"HTTP/1.1 431 ")
    assert harness.worker.nr_conns == 0


def test_connection_that_ends_in_the_middle_of_a_head_is_closed(harness: WorkerHarness) -> None:
    harness.browser.sendall(HEAD[:10])
    harness.worker.enqueue_req(harness.conn)
    harness.browser.close()
    harness.conn.timeout = 0
    harness.worker._recheck_heads()
    assert (harness.worker.nr_conns, harness.conn.sock.fileno()) == (0, -1)
