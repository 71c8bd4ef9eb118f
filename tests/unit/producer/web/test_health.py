"""Health by its causes, one at a time."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from producer import create_app
from producer.cached import Cached
from producer.config import Settings
from producer.domain.backlog import Backlog
from producer.domain.database import ReadOnly
from producer.services import EXTENSION
from tests.shop import ORDER


def raising(error: Exception) -> Cached[Any]:
    def compute() -> Any:
        raise error

    return Cached(compute, 60)


def answering(value: Any) -> Cached[Any]:
    return Cached(lambda: value, 60)


NO_ANSWER = OperationalError("SELECT 1", {}, Exception("no answer"))
WELL = {
    "database_health": answering(None),
    "topic_health": answering({"status": "ok"}),
    "outbox_health": answering(Backlog(3, 1.0)),
    "backlog": lambda: Backlog(3, 1.0),
}


@pytest.fixture
def app() -> Iterator[Flask]:
    app = create_app(
        Settings(database_url="postgresql://u:p@127.0.0.1:1/d", kafka_bootstrap_servers="127.0.0.1:1")
    )
    services = app.extensions[EXTENSION]
    yield app
    services.stop()


@pytest.mark.parametrize(
    ("part", "status", "status_code"),
    [
        ({}, "ok", 200),
        ({"topic_health": answering({"status": "degraded", "detail": "x"})}, "degraded", 200),
        ({"topic_health": answering({"status": "unavailable", "detail": "x"})}, "degraded", 200),
        ({"outbox_health": answering(Backlog(3, 30.0))}, "ok", 200),
        ({"outbox_health": answering(Backlog(3, 30.1))}, "degraded", 200),
        ({"outbox_health": answering(Backlog(3, None, parked=1))}, "degraded", 200),
        ({"outbox_health": raising(NO_ANSWER)}, "degraded", 200),
        ({"backlog": lambda: None}, "degraded", 200),
        ({"backlog": lambda: Backlog(1_000_001, 1.0)}, "degraded", 200),
        ({"database_health": raising(NO_ANSWER)}, "unavailable", 503),
        ({"database_health": raising(ReadOnly("The database is read-only."))}, "unavailable", 503),
    ],
)
def test_each_cause_has_its_status(app: Flask, part: dict[str, Any], status: str, status_code: int) -> None:
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], **WELL | part)
    response = app.test_client().get("/health/ready")
    assert (response.get_json()["status"], response.status_code) == (status, status_code)


@pytest.mark.parametrize("backlog", [None, Backlog(1_000_001, 1.0)])
def test_health_says_why_new_orders_are_refused(app: Flask, backlog: Backlog | None) -> None:
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], **WELL | {"backlog": lambda: backlog})
    outbox = app.test_client().get("/health/ready").get_json()["checks"]["outbox"]
    refused = app.test_client().post("/orders", json=ORDER)
    assert (refused.status_code, refused.get_json()["detail"]) == (503, outbox["refusal"])


def test_open_breaker_is_degraded(app: Flask) -> None:
    app.extensions[EXTENSION] = services = replace(app.extensions[EXTENSION], **WELL)
    breaker = services.publisher.breaker
    while (permit := breaker.permit()) is not None:
        breaker.failed(permit)
    body = app.test_client().get("/health/ready").get_json()
    assert (body["status"], body["checks"]["breaker"]) == ("degraded", {"state": "open"})


def test_process_is_alive_whatever_it_depends_on(app: Flask) -> None:
    unwell = {name: raising(NO_ANSWER) for name in WELL}
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], **unwell)
    response = app.test_client().get("/health/live")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})
