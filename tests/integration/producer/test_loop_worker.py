"""The producer under gunicorn with its event loop: who waits for whom, and how it ends."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import sqlalchemy as sa

from tests.eventually import eventually
from tests.integration.producer.conftest import SERVICE, Scalar
from tests.integration.producer.test_group_commit import locked_orders
from tests.shop import ORDER

BODY = json.dumps(ORDER).encode()
KEEP_ALIVE_S = 2


class Server:
    """`gunicorn producer:create_app()` as a process."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url, self._log = f"http://127.0.0.1:{self.port}", log
        command = ["-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "producer:create_app()"]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command], cwd=SERVICE, env=environment, stdout=output, stderr=output
            )
        eventually(lambda: self.place() == 201, 30)

    @property
    def log(self) -> str:
        """What was logged, without librdkafka's own lines."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("%"))

    def place(self, **headers: str) -> int:
        try:
            return requests.post(f"{self.url}/orders", json=ORDER, headers=headers, timeout=20).status_code
        except requests.ConnectionError as error:
            raise AssertionError("not up") from error

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def stop(self, within: float = 14) -> float:
        """Send SIGTERM; return how long the end took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(within) == 0
        return time.monotonic() - started


StartServer = Callable[..., Server]


@pytest.fixture
def start_server(service_environment: dict[str, str], tmp_path: Path) -> Iterator[StartServer]:
    """Start a server with more environment variables; it is killed after the test."""
    started: list[Server] = []

    def start(**environment: str) -> Server:
        defaults = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "PUBLISHER": "relay", "WEB_CONCURRENCY": "1"}
        started.append(Server(service_environment | defaults | environment, tmp_path / "producer.log"))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()  # its workers die with it
        server.process.wait(10)


@pytest.fixture
def server(start_server: StartServer) -> Server:
    return start_server()


def head(method: str = "POST", target: str = "/orders", version: str = "1.1", **headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def order_request(**headers: str) -> bytes:
    return head(Content_Type="application/json", Content_Length=str(len(BODY)), **headers) + BODY


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the other side ends the connection."""
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except ConnectionResetError:
        pass  # the other side did not read all of ours
    return found


def read_responses(connection: socket.socket, count: int) -> list[tuple[bytes, bytes]]:
    """Return the status line and the body of so many responses."""
    found = []
    with connection.makefile("rb") as stream:
        for _ in range(count):
            status, length = stream.readline().strip(), 0
            while line := stream.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            found.append((status, stream.read(length)))
    return found


# --- Clients that are slow, or gone


def test_slow_clients_delay_nobody_and_are_cut_off(server: Server) -> None:
    half_head, half_body = order_request()[:30], order_request()[:-10]
    with ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(100)]
        for number, connection in enumerate(slow):
            connection.sendall(half_head if number % 2 else half_body)
        assert server.place() == 201
        for connection in slow:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)
            connection.settimeout(20)
        answers = {number % 2: read_all(connection) for number, connection in enumerate(slow)}
    assert answers[1] == b""
    assert answers[0].startswith(b"HTTP/1.1 408 ")
    assert "Traceback" not in server.log


def test_client_that_floods_delays_nobody_and_is_cut_off(server: Server) -> None:
    """Its body is refused by its length, and nobody reads it; it is sent without a pause all the same."""
    cut = threading.Event()

    def flood() -> None:
        with server.connect() as connection:
            connection.sendall(head(Content_Type="application/json", Content_Length="99999999999"))
            try:
                while True:
                    connection.sendall(b" " * (1 << 20))
            except ConnectionError:
                cut.set()

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    placed = 0
    while not cut.wait(0.05):
        assert server.place() == 201
        placed += 1
    thread.join(20)
    assert placed > 5, "it was answered only after the flood"


def test_client_that_leaves_while_its_order_waits_is_no_error(
    server: Server, engine: sa.Engine, scalar: Scalar
) -> None:
    before = scalar("SELECT count(*) FROM orders")
    with locked_orders(engine):
        for _ in range(20):
            with server.connect() as connection:
                connection.sendall(order_request())
        eventually(lambda: count_statements(engine, "EXECUTE store_placements") == 1)
    eventually(lambda: scalar("SELECT count(*) FROM orders") == before + 20)
    assert server.place() == 201
    assert "ERROR" not in server.log
    assert "Traceback" not in server.log


def test_descriptors_of_aborted_connections_are_given_back(server: Server) -> None:
    (worker,) = server.workers()
    before = worker.num_fds()
    for number in range(500):
        with server.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(order_request()[: number % 250])
    eventually(lambda: worker.num_fds() <= before + 2, 15)
    assert "Traceback" not in server.log


# --- A database that is slow, or gone


def count_statements(engine: sa.Engine, text: str) -> int:
    with engine.begin() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE :text"
        return int(connection.execute(sa.text(query), {"text": f"{text}%"}).scalar_one())


def test_orders_wait_for_a_locked_database_and_are_each_answered_truthfully(
    start_server: StartServer, engine: sa.Engine, scalar: Scalar
) -> None:
    server = start_server(DATABASE_TIMEOUT_S="1.5")
    before = scalar("SELECT count(*) FROM orders")
    with ThreadPoolExecutor(200) as pool, locked_orders(engine):
        answers = [pool.submit(server.place) for _ in range(200)]
        eventually(lambda: count_statements(engine, "EXECUTE store_placements") == 1)
        live = requests.get(f"{server.url}/health/live", timeout=2)
        assert live.status_code == 200
        done = [answer.result(30) for answer in answers]
    assert set(done) == {503}
    assert scalar("SELECT count(*) FROM orders") == before
    assert server.place() == 201
    assert "Traceback" not in server.log


def test_lost_connection_is_told_and_not_printed(server: Server, engine: sa.Engine, scalar: Scalar) -> None:
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'EXECUTE store_placements%'"
    )
    with ThreadPoolExecutor(1) as pool, locked_orders(engine):
        answer = pool.submit(server.place)
        eventually(lambda: count_statements(engine, "EXECUTE store_placements") == 1)
        with engine.begin() as connection:
            connection.execute(sa.text(kill))
        assert answer.result(20) == 503
    assert server.place() == 201
    assert "Traceback" not in server.log


# --- Its end


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_order_that_was_answered_before_the_end_is_stored(
    start_server: StartServer, scalar: Scalar, workers: str
) -> None:
    server = start_server(WEB_CONCURRENCY=workers)
    assert len(server.workers()) == int(workers)
    placed: list[str] = []

    def place() -> None:
        with requests.Session() as session:
            try:
                while (answer := session.post(f"{server.url}/orders", json=ORDER, timeout=20)).ok:
                    placed.append(answer.json()["id"])
            except requests.RequestException:
                pass  # the end

    with ThreadPoolExecutor(16) as pool, server.connect() as idle:
        idle.sendall(order_request())
        assert read_responses(idle, 1)[0][0] == b"HTTP/1.1 201 CREATED"
        for _ in range(16):
            pool.submit(place)
        eventually(lambda: len(placed) > 100)
        assert server.stop() < KEEP_ALIVE_S + 5
    ids = ",".join(f"'{each}'" for each in placed)
    assert scalar(f"SELECT count(*) FROM orders WHERE id IN ({ids})") == len(placed)
    assert "Traceback" not in server.log


def test_reader_that_does_not_read_keeps_the_end_only_so_long(server: Server) -> None:
    """And gunicorn does not kill the worker in the middle of what follows."""
    requests.post(f"{server.url}/orders/random", json={"count": 200}, timeout=20)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(head("GET", "/orders?limit=200") * 200)
        (worker,) = server.workers()
        used: list[float] = []

        def is_stuck() -> bool:
            used.append(worker.cpu_times().user)
            return len(used) > 2 and used[-3] == used[-1]

        assert connection.recv(100)
        eventually(is_stuck, 30, every=0.5)
        assert server.stop() < 11
    assert "SIGKILL" not in server.log
    assert "Traceback" not in server.log


@pytest.mark.parametrize("sent", [signal.SIGUSR1, signal.SIGTERM, signal.SIGABRT, signal.SIGQUIT])
def test_signal_to_a_worker_under_load_ends_nothing_untold(
    server: Server, scalar: Scalar, sent: signal.Signals
) -> None:
    """A worker that ends is replaced; who was answered 201 is stored."""
    (worker,) = server.workers()
    placed: list[str] = []
    stop = threading.Event()

    def place() -> None:
        while not stop.is_set():
            try:
                answer = requests.post(f"{server.url}/orders", json=ORDER, timeout=20)
            except requests.RequestException:
                continue  # the worker has ended
            if answer.ok:
                placed.append(answer.json()["id"])

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(place)
        try:
            eventually(lambda: len(placed) > 50)
            worker.send_signal(sent)
            if sent is not signal.SIGUSR1:
                worker.wait(15)
            count = len(placed)
            eventually(lambda: len(placed) > count + 50, 20)
        finally:
            stop.set()
    ids = ",".join(f"'{each}'" for each in placed)
    assert scalar(f"SELECT count(*) FROM orders WHERE id IN ({ids})") == len(placed)


# --- HTTP


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with server.connect() as connection:
        both = order_request() + head("GET", "/health/live")
        connection.sendall(both * 20)
        responses = read_responses(connection, 40)
    assert [status for status, _ in responses] == [b"HTTP/1.1 201 CREATED", b"HTTP/1.1 200 OK"] * 20
    assert all(b'"customer_name":"Ada"' in body for _, body in responses[::2])
    assert all(body == b'{"status":"ok"}' for _, body in responses[1::2])


def test_expected_100_continue_comes_before_the_body(server: Server) -> None:
    with server.connect() as connection:
        request = order_request(Expect="100-continue")
        connection.sendall(request[: -len(BODY)])
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_responses(connection, 1)[0][0] == b"HTTP/1.1 201 CREATED"


def test_http_1_0_ends_the_connection(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(order_request().replace(b"HTTP/1.1", b"HTTP/1.0"))
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.0 201 ")
    assert b'"customer_name":"Ada"' in answer


def test_head_has_no_body(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(head("HEAD", "/health/live") + head("GET", "/health/live", Connection="close"))
        answer = read_all(connection)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.count(b'{"status":"ok"}') == 1


@pytest.mark.parametrize("request_bytes", [order_request(), head("GET", "/health/live")])
def test_head_and_body_come_in_one_segment(server: Server, request_bytes: bytes) -> None:
    with server.connect() as connection:
        for _ in range(20):
            connection.sendall(request_bytes)
            answer = connection.recv(65536)
            top, _, body = answer.partition(b"\r\n\r\n")
            assert f"Content-Length: {len(body)}".encode() in top
            assert body


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Content-Length", f"+{len(BODY)}", 400),
        ("Content-Length", f"{len(BODY)}, {len(BODY)}", 400),
        ("Content-Length", "8_0", 400),
        ("Content-Length", "9" * 5000, 400),
        ("Content-Length", f"000{len(BODY)}", 201),
        ("Content-Length", f"{len(BODY)}\r\nContent-Length: {len(BODY)}", 400),
        ("Content-Length", f"{len(BODY)}\r\nTransfer-Encoding: chunked", 400),
    ],
)
def test_ambiguous_length_is_refused(server: Server, header: str, value: str, status: int) -> None:
    with server.connect() as connection:
        length = f"{header}: {len(BODY)}".encode()
        connection.sendall(order_request(Connection="close").replace(length, f"{header}: {value}".encode()))
        assert read_all(connection).startswith(f"HTTP/1.1 {status} ".encode())


def test_order_whose_body_ends_early_is_not_placed(server: Server, scalar: Scalar) -> None:
    before = scalar("SELECT count(*) FROM orders")
    with server.connect() as connection:
        longer = order_request().replace(f"Length: {len(BODY)}".encode(), f"Length: {len(BODY) + 1}".encode())
        connection.sendall(longer)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).startswith(b"HTTP/1.1 400 ")
    assert scalar("SELECT count(*) FROM orders") == before


def test_chunked_order_is_placed(server: Server) -> None:
    answer = requests.post(
        f"{server.url}/orders",
        data=iter([BODY[:5], BODY[5:]]),
        headers={"Content-Type": "application/json"},
        timeout=20,
    )
    assert answer.status_code == 201


# --- What blocks, beside what does not


def test_batches_and_pages_do_not_keep_single_orders_from_being_answered(server: Server) -> None:
    batch: dict[str, Any] = {"orders": [ORDER] * 1000}
    stop = threading.Event()
    done: list[int] = []

    def large() -> None:
        while not stop.is_set():
            done.append(requests.post(f"{server.url}/orders/batch", json=batch, timeout=30).status_code)
            done.append(requests.get(f"{server.url}/", timeout=30).status_code)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(large)
        try:
            for _ in range(30):
                assert server.place() == 201
        finally:
            stop.set()
    assert set(done) == {200, 201}
