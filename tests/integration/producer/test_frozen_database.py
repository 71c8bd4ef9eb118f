"""PostgreSQL that accepts connections and never answers: nobody waits behind somebody else."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from flask import Flask
from psycopg2 import extensions

from producer import create_app
from producer.cached import Cached
from producer.config import Settings
from producer.domain.backlog import Backlog
from producer.domain.database import ReadOnly
from producer.services import EXTENSION
from tests.integration.producer.conftest import services_of

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
TIMEOUT_S = 0.4
REQUESTS = 16


@pytest.fixture
def frozen_app() -> Iterator[Callable[[float], Flask]]:
    """Creates the application with a DATABASE_TIMEOUT_S. The kernel of the frozen server still takes connections."""
    apps: list[Flask] = []
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        port = server.getsockname()[1]

        def create(timeout_s: float) -> Flask:
            settings = Settings(
                database_url=f"postgresql://u:p@127.0.0.1:{port}/d?sslmode=disable&gssencmode=disable",
                database_timeout_s=timeout_s,
                kafka_bootstrap_servers="127.0.0.1:1",
            )
            apps.append(create_app(settings))
            return apps[-1]

        yield create
        for app in apps:
            services_of(app).stop()
    extensions.set_wait_callback(None)


def test_requests_do_not_wait_one_after_another(frozen_app: Callable[[float], Flask]) -> None:
    app = frozen_app(TIMEOUT_S)

    def place(_: int) -> int:
        return app.test_client().post("/orders", json=ORDER).status_code

    started = time.monotonic()
    with ThreadPoolExecutor(REQUESTS) as pool:
        statuses = list(pool.map(place, range(REQUESTS)))
    elapsed_s = time.monotonic() - started
    assert statuses == [503] * REQUESTS
    assert elapsed_s < REQUESTS * TIMEOUT_S / 2, "a quarter of what it took one after another"


def test_order_is_refused_at_once_while_the_database_is_known_to_be_frozen(
    frozen_app: Callable[[float], Flask],
) -> None:
    app = frozen_app(30)
    services_of(app).backlog_monitor.start(first_s=0)
    started = time.monotonic()
    response = app.test_client().post("/orders", json=ORDER)
    assert time.monotonic() - started < 5
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "none is taken" in response.get_json()["detail"]


def test_health_answers_within_its_bound(frozen_app: Callable[[float], Flask]) -> None:
    app = frozen_app(30)

    def ask(_: int) -> tuple[int, str, float]:
        started = time.monotonic()
        response = app.test_client().get("/health/ready")
        return response.status_code, response.get_json()["status"], time.monotonic() - started

    with ThreadPoolExecutor(REQUESTS) as pool:
        answers = list(pool.map(ask, range(REQUESTS)))
    assert {answer[:2] for answer in answers} == {(503, "unavailable")}
    assert max(seconds for *_, seconds in answers) < 2


def test_health_asks_kafka_while_it_waits_for_the_database(settings: Settings) -> None:
    app = create_app(settings)
    services = services_of(app)
    asked = threading.Event()

    def ask_kafka() -> dict[str, str]:
        asked.set()
        return {"status": "ok"}

    def ask_database() -> None:
        if not asked.wait(5):
            raise ReadOnly("Kafka is asked later.")

    app.extensions[EXTENSION] = replace(
        services, topic_health=Cached(ask_kafka, 60), database_health=Cached(ask_database, 0, wait_s=10)
    )
    body = app.test_client().get("/health/ready").get_json()
    assert body["checks"]["database"] == body["checks"]["kafka"] == {"status": "ok"}
    services.stop()


# --- What waits in the outbox


def test_outbox_that_takes_too_long_to_count_is_degraded_and_not_unavailable(
    settings: Settings,
) -> None:
    app = create_app(settings)
    services = services_of(app)
    go_on = threading.Event()
    slow = Cached(lambda: Backlog(int(go_on.wait(10)), None), 0, wait_s=0.05)
    healthy = Cached(lambda: {"status": "ok"}, 60)
    app.extensions[EXTENSION] = replace(services, outbox_health=slow, topic_health=healthy)
    response = app.test_client().get("/health/ready")
    go_on.set()
    assert response.status_code == 200
    assert response.get_json()["status"] == "degraded"
    assert response.get_json()["checks"]["database"] == {"status": "ok"}
    assert response.get_json()["checks"]["outbox"] == {"rows": None, "oldest_s": None, "parked": None}
    services.stop()


def test_old_event_in_the_outbox_is_degraded(settings: Settings) -> None:
    app = create_app(settings)
    services = services_of(app)
    healthy = Cached(lambda: {"status": "ok"}, 60)
    statuses = []
    for oldest_s in (None, 30.0, 30.1):
        outbox = Cached(partial(Backlog, 1, oldest_s), 0)
        app.extensions[EXTENSION] = replace(services, outbox_health=outbox, topic_health=healthy)
        statuses.append(app.test_client().get("/health/ready").get_json()["status"])
    assert statuses == ["ok", "ok", "degraded"]
    services.stop()
