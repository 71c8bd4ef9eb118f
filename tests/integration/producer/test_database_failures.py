"""A database that is demoted, cut off or slow: 503, and the truth about what was stored."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from psycopg2 import extensions
from sqlalchemy.exc import DBAPIError

from producer import create_app
from producer.config import Settings
from producer.domain.database import Database, create_engine
from producer.domain.models import Order
from producer.relay.listener import Listener
from producer.relay.service import create_relay_engine
from producer.services import Services, create_services
from tests.eventually import eventually
from tests.integration.producer.conftest import services_of

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
KEY = {"Idempotency-Key": "key-1"}
Scalar = Callable[[str], Any]


@pytest.fixture
def api_with(settings: Settings) -> Iterator[Callable[..., FlaskClient]]:
    """An application with other settings; its services are at `client.application`."""
    clients: list[FlaskClient] = []

    def make(**changes: Any) -> FlaskClient:
        clients.append(create_app(settings.model_copy(update=changes)).test_client())
        return clients[-1]

    yield make
    for client in clients:
        services_of(client.application).stop()


@pytest.fixture(autouse=True)
def own_deadline() -> Iterator[None]:
    """The deadline of waits holds for the whole process: the short ones of these tests end with them."""
    yield
    extensions.set_wait_callback(None)


def terminate(engine: sa.Engine, pid: object) -> None:
    with engine.begin() as other:
        other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


# --- Settings of the sessions


ENGINES: dict[str, Callable[[Settings], sa.Engine]] = {
    "web": lambda settings: create_services(settings).database.engine,
    "intake": lambda settings: create_services(settings).group_commit._engine,
    "notifier": lambda settings: create_services(settings).notifier._engine,
    "relay": create_relay_engine,
}


@pytest.fixture(params=ENGINES)
def session_of(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[sa.Connection, int]]:
    """A session as a part of the web process or the relay opens it, and its timeout in seconds."""
    engine = ENGINES[request.param](settings)
    with engine.connect() as connection:
        yield connection, 3 if request.param == "relay" else 5
    engine.dispose()


def test_session_has_its_deadlines(session_of: tuple[sa.Connection, int]) -> None:
    connection, timeout_s = session_of

    def show(name: str) -> int:
        query = sa.text("SELECT setting::int FROM pg_settings WHERE name = :name")
        return int(connection.execute(query, {"name": name}).scalar_one())

    assert show("statement_timeout") == timeout_s * 1000
    assert show("idle_in_transaction_session_timeout") == 2 * timeout_s * 1000
    assert show("transaction_timeout") == 3 * timeout_s * 1000
    assert show("tcp_keepalives_idle") == 10
    assert show("tcp_keepalives_interval") == 5
    assert show("tcp_keepalives_count") == 4


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("synchronous_commit", "on"),  # 201 says that the order is on disk
        (
            "transaction_isolation",
            "read committed",
        ),  # the outbox is looked at as it is after the wait for the lock
        ("TimeZone", "UTC"),
    ],
)
def test_session_is_as_the_promises_want_it(
    session_of: tuple[sa.Connection, int], name: str, wanted: str
) -> None:
    connection, _ = session_of
    assert connection.execute(sa.text(f"SHOW {name}")).scalar_one() == wanted


def test_socket_notices_a_server_that_is_gone(session_of: tuple[sa.Connection, int]) -> None:
    connection, timeout_s = session_of
    raw = connection.connection.driver_connection
    assert raw is not None
    with socket.fromfd(raw.fileno(), socket.AF_INET, socket.SOCK_STREAM) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2 * timeout_s * 1000


# --- The end of a transaction (P9)


def test_frozen_transaction_loses_its_row_lock(
    api: FlaskClient, settings: Settings, engine: sa.Engine
) -> None:
    order_id = api.post("/orders", json=ORDER).get_json()["id"]
    frozen = Database(settings.sqlalchemy_url, 1, 0.2)

    def is_free() -> bool:
        with suppress(DBAPIError), engine.begin() as other:
            other.execute(sa.text("SELECT FROM orders FOR UPDATE NOWAIT"))
            return True
        return False

    def freeze() -> None:
        with frozen.transaction():
            Order.get_for_update(order_id)
            assert not is_free()
            eventually(is_free, within=5)
            Order.newest(1)

    with pytest.raises(DBAPIError) as ended:
        freeze()
    assert ended.value.connection_invalidated
    frozen.engine.dispose()


def test_transaction_of_many_statements_has_an_end(settings: Settings) -> None:
    database = Database(settings.sqlalchemy_url, 1, 0.2)

    def busy() -> None:
        with database.transaction() as session:
            for _ in range(1_000_000):
                session.execute(sa.text("SELECT 1"))

    with pytest.raises(DBAPIError) as ended:
        busy()
    assert ended.value.connection_invalidated
    database.engine.dispose()


# --- A database that takes no writes (P10)


@contextmanager
def read_only(engine: sa.Engine) -> Iterator[None]:
    """For new sessions; those that are open are not asked."""

    def alter(change: str) -> None:
        with engine.begin() as connection:
            name = connection.execute(sa.text("SELECT current_database()")).scalar_one()
            connection.execute(sa.text("SET TRANSACTION READ WRITE"))
            connection.execute(sa.text(f"ALTER DATABASE {name} {change}"))

    alter("SET default_transaction_read_only = on")
    try:
        yield
    finally:
        alter("RESET default_transaction_read_only")


def test_read_only_database_is_503_until_it_takes_writes_again(
    api_with: Callable[..., FlaskClient], engine: sa.Engine, scalar: Scalar
) -> None:
    api = api_with()
    with read_only(engine):
        response = api.post("/orders", json=ORDER)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert response.get_json()["detail"] == "The database does not answer; nothing was stored. Try again."
        health = api.get("/health/ready")
        assert health.status_code == 503
        assert health.get_json()["status"] == "unavailable"
        assert health.get_json()["checks"]["database"] == {
            "status": "unavailable",
            "detail": "The database is read-only.",
        }
        api.post("/orders", json=ORDER)
    assert scalar("SELECT count(*) FROM orders") == 0
    assert api.post("/orders", json=ORDER).status_code == 201
    assert api.get("/health/ready").status_code == 200


# --- What a 503 says (P17)


# What commits when the server has run it: a transaction's end, and the statement of a group commit.
COMMITS = (b"COMMIT", b"EXECUTE store_placements")


class CutAfterCommit:
    """A TCP proxy in front of PostgreSQL that closes the connection once the server has answered a COMMIT."""

    def __init__(self, server: tuple[str, int]):
        self._server, self.cuts = server, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, suppress(OSError):
            back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
            back.start()
            while sent := client.recv(65536):
                if self.cuts and any(commits in sent for commits in COMMITS):
                    self.commit(client, server, sent)
                    return
                server.sendall(sent)

    def commit(self, client: socket.socket, server: socket.socket, sent: bytes) -> None:
        """Send the COMMIT on, but no answer back."""
        client.shutdown(socket.SHUT_RDWR)
        server.sendall(sent)
        server.shutdown(socket.SHUT_WR)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while received := source.recv(65536):
                target.sendall(received)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def proxy(postgres: sa.URL) -> Iterator[CutAfterCommit]:
    proxy = CutAfterCommit((postgres.host or "127.0.0.1", postgres.port or 5432))
    yield proxy
    proxy.close()


@pytest.fixture
def api_through_proxy(
    api_with: Callable[..., FlaskClient], settings: Settings, proxy: CutAfterCommit
) -> FlaskClient:
    url = sa.make_url(settings.database_url).set(host="127.0.0.1", port=proxy.port)
    return api_with(database_url=url.render_as_string(hide_password=False))


def test_lost_answer_to_a_commit_says_that_it_may_have_been_stored(
    api_through_proxy: FlaskClient, proxy: CutAfterCommit, scalar: Scalar
) -> None:
    api = api_through_proxy
    assert api.get("/orders").status_code == 200
    proxy.cuts = True
    response = api.post("/orders", json=ORDER, headers=KEY)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "may have been stored" in response.get_json()["detail"]
    assert "Idempotency-Key" in response.get_json()["detail"]
    eventually(lambda: scalar("SELECT count(*) FROM orders") == 1)
    proxy.cuts = False
    again = api.post("/orders", json=ORDER, headers=KEY)
    assert again.status_code == 201
    assert scalar("SELECT id::text FROM orders") == again.get_json()["id"]


def test_lost_answer_to_a_commit_of_a_read_speaks_of_no_store(
    api_through_proxy: FlaskClient, proxy: CutAfterCommit
) -> None:
    assert api_through_proxy.get("/orders").status_code == 200
    proxy.cuts = True
    response = api_through_proxy.get("/orders")
    assert response.status_code == 503
    assert "stored" not in response.get_json()["detail"]


def test_connection_lost_before_the_commit_says_that_nothing_was_stored(
    api: FlaskClient, services: Services, scalar: Scalar, relay_engine: sa.Engine
) -> None:
    order = api.post("/orders", json=ORDER).get_json()["id"]

    def cut(connection: sa.Connection, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("INSERT INTO outbox"):
            terminate(relay_engine, cursor.connection.get_backend_pid())

    sa.event.listen(services.database.engine, "before_cursor_execute", cut)
    response = api.patch(f"/orders/{order}", json={"status": "confirmed"})
    sa.event.remove(services.database.engine, "before_cursor_execute", cut)
    assert response.status_code == 503
    assert "nothing was stored" in response.get_json()["detail"]
    assert scalar("SELECT version FROM orders") == 1


def test_refusal_at_the_commit_is_no_lost_answer(api: FlaskClient, engine: sa.Engine, scalar: Scalar) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("ALTER TABLE outbox ADD CONSTRAINT once UNIQUE (version) DEFERRABLE INITIALLY DEFERRED")
        )
    try:
        response = api.post("/orders/random", json={"count": 2})
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE outbox DROP CONSTRAINT once"))
    assert response.status_code == 500
    assert scalar("SELECT count(*) FROM orders") == 0


def test_wait_for_a_connection_of_the_pool_ends_in_503(api_with: Callable[..., FlaskClient]) -> None:
    api = api_with(database_pool_size=1, database_timeout_s=0.2)
    with services_of(api.application).database.engine.connect():
        response = api.post("/orders", json=ORDER)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "nothing was stored" in response.get_json()["detail"]


def test_wait_for_the_orders_before_ends_in_503(
    api_with: Callable[..., FlaskClient], engine: sa.Engine, scalar: Scalar
) -> None:
    api = api_with()
    services_of(api.application).group_commit._wait_s = 0.1
    with engine.begin() as holder, ThreadPoolExecutor() as pool:
        holder.execute(sa.text("LOCK TABLE orders IN EXCLUSIVE MODE"))
        first = pool.submit(api.application.test_client().post, "/orders", json=ORDER)
        eventually(lambda: scalar("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
        response = api.post("/orders", json=ORDER)
        holder.rollback()
        assert first.result(10).status_code == 201
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "nothing was stored" in response.get_json()["detail"]


def test_wait_for_a_row_lock_ends_in_503(api_with: Callable[..., FlaskClient], engine: sa.Engine) -> None:
    api = api_with(database_timeout_s=0.3)
    order_id = api.post("/orders", json=ORDER).get_json()["id"]
    with engine.begin() as holder:
        holder.execute(sa.text("SELECT FROM orders FOR UPDATE"))
        response = api.patch(f"/orders/{order_id}", json={"status": "confirmed"})
    assert response.status_code == 503
    assert "nothing was stored" in response.get_json()["detail"]


@pytest.mark.parametrize(("method", "path", "body"), [("POST", "/orders", ORDER), ("GET", "/orders", None)])
def test_server_that_closes_every_new_connection_ends_in_503(
    api_with: Callable[..., FlaskClient], relay_engine: sa.Engine, method: str, path: str, body: Any
) -> None:
    api = api_with()
    services = services_of(api.application)
    services.backlog_monitor.start()

    def close(connection: Any, record: Any) -> None:
        terminate(relay_engine, connection.get_backend_pid())
        closed = select.poll()
        closed.register(connection.fileno(), select.POLLIN)
        assert closed.poll(5000)

    engines = [services.database.engine, services.group_commit._engine]
    for engine in engines:
        engine.dispose()
        sa.event.listen(engine, "connect", close)
    response = api.open(path, method=method, json=body)
    assert response.status_code == 503
    assert "nothing was stored" in response.get_json()["detail"]
    for engine in engines:
        sa.event.remove(engine, "connect", close)
    assert api.open(path, method=method, json=body).status_code in {200, 201}


# --- LISTEN


def test_listener_connects_again_after_its_session_was_ended(relay_engine: sa.Engine, scalar: Scalar) -> None:
    wakes: list[None] = []
    listener = Listener(relay_engine, lambda: wakes.append(None))
    listener.start()
    pid = eventually(
        lambda: scalar(
            "SELECT max(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            " AND datname = current_database()"
        )
    )
    eventually(lambda: wakes)
    terminate(relay_engine, pid)
    eventually(lambda: len(wakes) == 2)
    with relay_engine.connect() as connection:
        connection.execute(sa.text("NOTIFY outbox"))
    eventually(lambda: len(wakes) == 3)
    listener.close(5)


def test_wait_for_an_answer_has_a_deadline(settings: Settings) -> None:
    create_engine(settings.sqlalchemy_url, 1, 0.1)
    with closing(psycopg2.connect(settings.database_url)) as connection:
        cursor = connection.cursor()
        with pytest.raises(psycopg2.OperationalError, match=r"no answer within 0\.2 s"):
            cursor.execute("SELECT pg_sleep(30)")
