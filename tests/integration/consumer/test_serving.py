"""The consumer as a process: limits, slow viewers, and every way to stop."""

import signal
import socket

import psutil
import pytest

from tests.eventually import eventually
from tests.integration.consumer.conftest import Server, StartServer, Topic
from tests.unit.consumer.topic.fake_kafka import event


def large_events(count: int) -> list[bytes]:
    return [event(f"large{n}", padding="x" * 5000) for n in range(count)]


def stalled_viewer(server: Server) -> socket.socket:
    """Open a connection that requests the stream and never reads it."""
    viewer = socket.socket()
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 10)
    viewer.connect(("127.0.0.1", server.port))
    viewer.sendall(f"GET /stream HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
    return viewer


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("fanout", ["sockets", "generator"])
def test_stalled_viewer_is_disconnected_and_delays_no_other_viewer(
    topic: Topic, start_server: StartServer, fanout: str
) -> None:
    server = start_server(fanout=fanout, client_stall_s=1)
    with stalled_viewer(server), server.listen() as listener:
        eventually(lambda: server.checks["streams"]["open"] == 2)
        topic.put(*large_events(2000))
        assert len(set(listener.wait_for(2000))) == 2000
        eventually(lambda: server.checks["streams"]["open"] == 1)
        topic.put(event("after"))
        assert listener.wait_for(2001)[-1] == event("after").decode()


def test_open_streams_hold_no_thread(start_server: StartServer) -> None:
    server = start_server()
    (worker,) = server.workers()
    listeners = [server.listen() for _ in range(40)]
    eventually(lambda: server.checks["streams"]["open"] == 40)
    assert worker.num_threads() < 40
    assert server.get("/health/live").status_code == 200
    for listener in listeners:
        with listener:
            assert listener.response.status == 200
    eventually(lambda: server.checks["streams"]["open"] == 0)


def test_viewer_over_the_limit_gets_a_busy_event(start_server: StartServer) -> None:
    server = start_server(max_streams=1)
    with server.listen():
        eventually(lambda: server.checks["streams"]["open"] == 1)
        with server.listen() as refused:
            assert refused.wait_for_end(5)
            assert refused.response.status == 200
            assert refused.named("busy") == [{"reason": "streams"}]
    eventually(lambda: server.checks["streams"]["open"] == 0)
    with server.listen() as admitted:
        eventually(lambda: admitted.named("status"))


@pytest.mark.parametrize(("fanout", "within"), [("sockets", 3), ("generator", 5)])
def test_sigterm_ends_open_streams_and_the_process(
    start_server: StartServer, fanout: str, within: float
) -> None:
    server = start_server(fanout=fanout)
    listeners = [server.listen() for _ in range(3)]
    eventually(lambda: server.checks["streams"]["open"] == 3)
    assert server.stop(within=within) == 0
    for listener in listeners:
        with listener:
            assert listener.wait_for_end(1)
    assert "Traceback" not in server.log


def test_killed_master_leaves_no_worker_behind(start_server: StartServer) -> None:
    server = start_server()
    with server.listen():
        (worker,) = server.workers()
        server.stop(signal.SIGKILL)
        psutil.wait_procs([worker], timeout=2)
        assert not worker.is_running()
        eventually(lambda: not is_listening(server.port), within=2)


def test_killed_worker_is_replaced(start_server: StartServer) -> None:
    server = start_server()
    (worker,) = server.workers()
    worker.kill()
    worker.wait(5)
    eventually(lambda: server.health().status_code == 200, within=15)


def test_http_1_0_client_gets_the_stream_without_chunks(topic: Topic, consumer_server: Server) -> None:
    with socket.create_connection(("127.0.0.1", consumer_server.port), timeout=10) as viewer:
        viewer.sendall(b"GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n")
        received = b""
        while b"event: status" not in received:
            received += viewer.recv(4096)
        topic.put(event("a"))
        while event("a") not in received:
            received += viewer.recv(4096)
    assert b"chunked" not in received
    assert b"\r\n" not in received.partition(b"\r\n\r\n")[2]


def test_consumer_waits_for_a_missing_topic(topic: Topic, start_server: StartServer) -> None:
    topic.delete()
    server = start_server(ready=False)
    eventually(lambda: server.health().status_code == 503)
    eventually(lambda: server.checks["kafka"].get("detail") == "the topic does not exist")
    with server.listen() as listener:
        assert listener.wait_for_end(5)
        assert listener.named("busy") == [{"reason": "starting"}]
    topic.create()
    eventually(lambda: server.health().status_code == 200)
