"""The parts of the event loop's worker: how bodies are read, how responses are sent, and who waits how."""

import contextvars
import io
import runpy
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.socket import socketpair

from tests.project import ROOT

WORKER = ROOT / "producer_service" / "loop_worker.py"
LIMIT = 1 << 20


@pytest.fixture
def worker() -> SimpleNamespace:
    """The module; what a test sets in `worker.constants` is what its classes read."""
    names = runpy.run_path(str(WORKER))
    return SimpleNamespace(**names, constants=names["BodyFirst"].__call__.__globals__)


class Body(io.BytesIO):
    """A body that has arrived. failed: gunicorn's sign that the connection must not be used again."""

    failed = False


class SlowBody(Body):
    """A body that never comes."""

    def read(self, size: int | None = -1) -> bytes:
        gevent.sleep(30)
        return b""


class Application:
    """A WSGI application that remembers what it was given. gate: what a request waits for."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.gate: gevent.event.Event | None = None
        self.running = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.running += 1
        if self.gate is not None:
            self.gate.wait(10)
        self.running -= 1
        self.bodies.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [b"done"]


def request(body: io.BytesIO, length: int | None = None) -> dict[str, Any]:
    """Return the environ of a request; without a length its body is chunked."""
    if length is None:
        return {"wsgi.input": body, "HTTP_TRANSFER_ENCODING": "chunked"}
    return {"wsgi.input": body, "CONTENT_LENGTH": str(length)}


def statuses() -> tuple[list[str], Callable[..., None]]:
    found: list[str] = []
    return found, lambda status, headers: found.append(status)


def has_ended(greenlet: gevent.Greenlet, within: float = 5) -> bool:
    """Run the loop until the greenlet has ended."""
    greenlet.join(within)
    return bool(greenlet.dead)


# --- BodyFirst


@pytest.mark.parametrize("length", [100, LIMIT, None])
def test_body_that_does_not_come_is_408_and_ends_the_connection(
    worker: SimpleNamespace, length: int | None
) -> None:
    worker.constants["BODY_S"] = 0.05
    application, body = Application(), SlowBody()
    found, start_response = statuses()
    assert worker.BodyFirst(application, LIMIT)(request(body, length), start_response) == []
    assert found == ["408 Request Timeout"]
    assert body.failed
    assert application.bodies == []


def test_body_that_ends_early_is_no_request(worker: SimpleNamespace) -> None:
    """Its client has gone. What came may be valid JSON all the same."""
    application, body = Application(), Body(b"{}")
    found, start_response = statuses()
    assert worker.BodyFirst(application, LIMIT)(request(body, 3), start_response) == []
    assert found == ["400 Bad Request"]
    assert body.failed
    assert application.bodies == []


def test_body_that_is_declared_larger_than_the_limit_is_not_read(worker: SimpleNamespace) -> None:
    application, body = Application(), Body(b"x" * 10)
    worker.BodyFirst(application, 9)(request(body, 10), statuses()[1])
    assert (application.bodies, body.tell()) == ([b""], 0)


@pytest.mark.parametrize("size", [0, 1, 9, 10])
def test_chunked_body_is_read_to_one_byte_more_than_the_limit(worker: SimpleNamespace, size: int) -> None:
    application, body = Application(), Body(b"x" * 100)
    worker.BodyFirst(application, size)(request(body), statuses()[1])
    assert application.bodies == [b"x" * (size + 1)]


def test_request_without_a_body_is_not_read(worker: SimpleNamespace) -> None:
    application = Application()
    for length in ("", "0"):
        environ = {"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": length}
        worker.BodyFirst(application, LIMIT)(environ, statuses()[1])
    assert application.bodies == [b"", b""]


@pytest.mark.parametrize("length", [LIMIT, None])
def test_only_so_many_large_bodies_are_in_memory_at_once(worker: SimpleNamespace, length: int | None) -> None:
    application = Application()
    application.gate = gevent.event.Event()
    front = worker.BodyFirst(application, LIMIT)
    most = worker.LARGE_AT_ONCE
    large = [gevent.spawn(front, request(Body(b"x" * LIMIT), length), statuses()[1]) for _ in range(most + 3)]
    gevent.idle()
    assert application.running == most
    small = gevent.spawn(front, request(Body(b"small"), 5), statuses()[1])
    gevent.idle()
    assert application.running == most + 1, "a small one does not wait for them"
    application.gate.set()
    assert all(has_ended(each) for each in (*large, small))
    assert len(application.bodies) == most + 4


def test_large_body_does_not_wait_for_its_turn_for_ever(worker: SimpleNamespace) -> None:
    worker.constants["BODY_S"], worker.constants["LARGE_AT_ONCE"] = 0.05, 1
    application = Application()
    application.gate = gevent.event.Event()
    front = worker.BodyFirst(application, LIMIT)
    first = gevent.spawn(front, request(Body(b"x" * LIMIT), LIMIT), statuses()[1])
    gevent.idle()
    found, start_response = statuses()
    front(request(Body(b"x" * LIMIT), LIMIT), start_response)
    assert found == ["408 Request Timeout"]
    application.gate.set()
    assert has_ended(first)
    front(request(Body(b"x" * LIMIT), LIMIT), start_response)
    assert found == ["408 Request Timeout", "200 OK"]


# --- InThreads


class Response:
    """A response in parts. closed: the thread in which it was closed."""

    def __init__(self, *parts: bytes | Exception) -> None:
        self.parts, self.closed = parts, 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part

    def close(self) -> None:
        self.closed = threading.get_ident()


def test_response_is_made_and_closed_in_a_thread(worker: SimpleNamespace) -> None:
    response = Response(b"a", b"b")
    assert worker.InThreads(lambda environ, start_response: response, 1)({}, None) == [b"ab"]
    assert response.closed not in (0, threading.get_ident())


def test_response_that_fails_is_closed_and_its_error_arrives_in_the_caller(
    worker: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    """gevent's own pool would print the error to stderr as well."""
    response = Response(b"a", ValueError("in the middle"))
    with pytest.raises(ValueError, match="in the middle"):
        worker.InThreads(lambda environ, start_response: response, 1)({}, None)
    assert response.closed
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("error", [MemoryError(), SystemExit(3)])
def test_error_of_an_application_arrives_in_the_caller(
    worker: SimpleNamespace, error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(environ: Any, start_response: Any) -> list[bytes]:
        raise error

    with pytest.raises(type(error)) as raised:
        worker.InThreads(fail, 1)({}, None)
    assert raised.value is error
    assert capfd.readouterr().err == ""


def test_no_context_variable_leaks_from_one_request_to_the_next(worker: SimpleNamespace) -> None:
    seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")
    seen.set("the loop's")

    def application(environ: Any, start_response: Any) -> list[bytes]:
        before = seen.get()
        seen.set("another request's")
        return [before.encode()]

    in_threads = worker.InThreads(application, 1)
    assert [in_threads({}, None) for _ in range(3)] == [[b"nothing"]] * 3
    assert seen.get() == "the loop's"


def test_requests_that_find_no_thread_free_leave_the_loop_free(worker: SimpleNamespace) -> None:
    go_on = threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        assert go_on.wait(10)
        return [b"done"]

    in_threads = worker.InThreads(application, 2)
    requests = [gevent.spawn(in_threads, {}, None) for _ in range(5)]
    gevent.sleep(0.01)  # returns: the loop is free
    go_on.set()
    assert all(has_ended(each) for each in requests)
    assert [each.value for each in requests] == [[b"done"]] * 5


# --- OneSend and InTurns


class FakeConnection:
    """Takes `at_once` bytes with each send. sends: what each call was given."""

    def __init__(self, at_once: int = 1 << 30) -> None:
        self.at_once, self.calls = at_once, list[tuple[str, Any]]()

    def send(self, data: bytes) -> int:
        self.calls.append(("send", data))
        return min(len(data), self.at_once)

    def sendall(self, data: bytes) -> None:
        self.calls.append(("sendall", data))

    def shutdown(self, how: int) -> None:
        self.calls.append(("shutdown", how))

    def close(self) -> None:
        self.calls.append(("close", None))


def test_head_and_body_are_one_send(worker: SimpleNamespace) -> None:
    connection = FakeConnection()
    one_send = worker.OneSend(connection)
    one_send.sendall(b"head ")
    one_send.sendall(b"body")
    assert connection.calls == []
    one_send.flush()
    one_send.flush()
    assert connection.calls == [("send", b"head body")]


def test_rest_is_sent_after_a_partial_send(worker: SimpleNamespace) -> None:
    connection = FakeConnection(at_once=3)
    one_send = worker.OneSend(connection)
    one_send.sendall(b"head body")
    one_send.flush()
    assert connection.calls == [("send", b"head body"), ("sendall", b"d body")]


def test_nothing_is_sent_after_a_shutdown(worker: SimpleNamespace) -> None:
    connection = FakeConnection()
    one_send = worker.OneSend(connection)
    one_send.sendall(b"half a response")
    one_send.shutdown(socket.SHUT_RDWR)
    one_send.close()
    one_send.flush()
    assert connection.calls == [("shutdown", socket.SHUT_RDWR), ("close", None)]


def test_client_that_does_not_read_is_a_broken_pipe(worker: SimpleNamespace) -> None:
    """With its number: gunicorn logs any other OSError as unexpected, with a traceback."""
    ours, theirs = socketpair()
    with ours, theirs:
        ours.settimeout(0.05)
        one_send = worker.OneSend(ours)
        one_send.sendall(b"x" * (32 << 20))
        with pytest.raises(BrokenPipeError) as raised:
            one_send.flush()
    assert raised.value.errno == 32


def test_client_that_sends_without_a_pause_does_not_have_the_loop_to_itself(worker: SimpleNamespace) -> None:
    class Endless:
        def recv(self, size: int) -> bytes:
            end = time.monotonic() + 0.004  # what many small chunks cost; gevent hurries only then
            while time.monotonic() < end:
                pass
            return b"x" * size

        def gettimeout(self) -> float:
            return 7.0

    connection = worker.InTurns(Endless())
    ours, theirs = socketpair()
    received = 0

    def receive() -> None:
        nonlocal received
        while received < 40 * worker.TURN_BYTES:
            received += len(connection.recv(8192))

    with ours, theirs:
        receiver = gevent.spawn(receive)
        echo = gevent.spawn(ours.recv, 1)
        gevent.sleep(0)
        theirs.sendall(b"!")
        assert has_ended(echo)
        assert not receiver.dead, "it had the loop until its end"
        assert has_ended(receiver, 10)
    assert len(connection.recv(1 << 20)) == worker.RECEIVE_BYTES
    assert connection.gettimeout() == 7.0


# --- LoopWaits


@pytest.fixture
def waits(worker: SimpleNamespace) -> Any:
    return worker.LoopWaits()


def in_thread(call: Callable[[], Any]) -> list[Any]:
    """Call it in a thread that is not the loop's; return its result in a list."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join(10)
    return results


def test_event_that_another_thread_sets_wakes_the_greenlet(waits: Any) -> None:
    for _ in range(300):
        event = waits.event()
        waiting = gevent.spawn(event.wait, 10)
        setter = threading.Thread(target=event.set)
        gevent.sleep(0)
        setter.start()
        assert has_ended(waiting)
        assert waiting.value
        setter.join()


def test_event_is_set_before_the_loop_has_run(waits: Any) -> None:
    event = waits.event()
    in_thread(event.set)
    assert event.is_set()
    assert event.wait(0)


def test_thread_that_sets_an_event_leaves_the_loops_count_alone(waits: Any) -> None:
    """The loop changes it without the interpreter lock."""
    event, loop = waits.event(), gevent.get_hub().loop
    waiting = gevent.spawn(event.wait, 10)
    gevent.sleep(0)
    before = loop.activecnt
    in_thread(event.set)
    assert loop.activecnt == before
    assert has_ended(waiting)


def test_events_that_threads_set_take_nothing_from_the_loop(waits: Any) -> None:
    """gevent's own Event loses some of the loop's references in 40,000, while timers run out."""
    ended, to_set, is_over = 0, deque[Any](), threading.Event()

    def set_events() -> None:
        while not is_over.is_set():
            try:
                to_set.popleft().set()
            except IndexError:
                is_over.wait(0.0002)

    def wait_for_events() -> None:
        nonlocal ended
        for number in range(500):
            event = waits.event()
            to_set.append(event)
            assert event.wait(10)
            gevent.sleep(number % 7 / 5000)
            ended += 1

    setters = [threading.Thread(target=set_events) for _ in range(2)]
    for setter in setters:
        setter.start()
    try:
        gevent.joinall([gevent.spawn(wait_for_events) for _ in range(20)], timeout=60)
    finally:
        is_over.set()
        for setter in setters:
            setter.join(10)
    assert ended == 10_000
    assert gevent.get_hub().loop.activecnt == 0


def test_event_of_a_thread_is_the_threads(waits: Any) -> None:
    (event,) = in_thread(waits.event)
    assert isinstance(event, threading.Event)
    assert not isinstance(waits.event(), threading.Event)


def test_run_leaves_the_loop_free(waits: Any) -> None:
    go_on, threads = threading.Event(), list[int]()

    def block() -> str:
        threads.append(threading.get_ident())
        assert go_on.wait(10)
        return "done"

    running = gevent.spawn(waits.run, block)
    gevent.sleep(0.01)  # returns: the loop is free
    go_on.set()
    assert has_ended(running)
    assert running.value == "done"
    assert threads != [threading.get_ident()]


def test_run_calls_directly_from_a_thread(waits: Any) -> None:
    inside: list[int] = []
    (outside,) = in_thread(
        lambda: (waits.run(lambda: inside.append(threading.get_ident())), threading.get_ident())[1]
    )
    assert inside == [outside]


def test_run_raises_what_it_meets_and_prints_nothing(waits: Any, capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError("the database")

    with pytest.raises(ValueError, match="the database"):
        waits.run(fail)
    assert capfd.readouterr().err == ""


def test_ready_ones_go_first(waits: Any) -> None:
    order: list[str] = []
    others = [gevent.spawn(order.append, "ready") for _ in range(3)]
    waits.let_ready_ones_go_first()
    order.append("own")
    assert order == ["ready"] * 3 + ["own"]
    gevent.joinall(others)


def test_ready_ones_are_waited_for_within_a_limit_while_the_loop_is_never_idle(
    worker: SimpleNamespace, waits: Any
) -> None:
    worker.constants["GATHER_S"] = 0.05
    turns, may_end = 0, False

    def never_idle() -> None:
        nonlocal turns
        end = time.monotonic() + 10
        while not may_end and time.monotonic() < end:
            turns += 1
            gevent.sleep(0)

    busy = gevent.spawn(never_idle)
    waits.let_ready_ones_go_first()
    assert not busy.dead
    assert turns > 1
    may_end = True
    assert has_ended(busy)


def test_thread_does_not_wait_for_the_loop(waits: Any) -> None:
    assert in_thread(waits.let_ready_ones_go_first) == [None]
