"""An order that Kafka refuses: it waits for an operator, and nobody else waits with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from producer.cached import Cached
from producer.relay.outbox import Outbox
from producer.services import EXTENSION, Services
from tests.integration.producer.conftest import services_of

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
DAY = "UPDATE outbox SET created_at = created_at - interval '24 h 1 s', parked_at = parked_at - interval '24 h 1 s'"

Execute = Callable[..., Any]


@pytest.fixture
def execute(engine: sa.Engine) -> Execute:
    """Runs one SQL statement and commits it."""

    def execute(sql: str, **values: Any) -> Any:
        with engine.begin() as connection:
            result = connection.execute(sa.text(sql), values)
            return result.all() if result.returns_rows else result.rowcount

    return execute


@pytest.fixture
def parked(api: FlaskClient, outbox: Outbox, execute: Execute) -> UUID:
    """The event of a parked version 1, a day ago; version 2 of the order waits behind it."""
    order = api.post("/orders", json=ORDER).get_json()["id"]
    ((event,),) = execute("SELECT id FROM outbox")
    outbox.park(event, "too large")
    assert api.patch(f"/orders/{order}", json={"status": "confirmed"}).status_code == 200
    execute(DAY)
    return UUID(str(event))


def test_row_behind_a_parked_one_does_not_count_for_the_backlogs_age(
    parked: UUID, api: FlaskClient, services: Services
) -> None:
    backlog = services.measure_backlog()
    assert (backlog.oldest_s, backlog.parked) == (None, 1)
    assert api.post("/orders", json=ORDER).status_code == 201


def test_read_back_does_not_begin_at_a_row_behind_a_parked_one(parked: UUID, outbox: Outbox) -> None:
    assert outbox.oldest_unparked() is None


def test_requeue_starts_a_new_age_for_the_order(
    parked: UUID, api: FlaskClient, services: Services, outbox: Outbox, execute: Execute
) -> None:
    assert outbox.requeue(parked)
    assert (services.measure_backlog().oldest_s or 0) < 60
    assert execute("SELECT count(*) FROM outbox WHERE created_at < now() - interval '1 h'") == [(0,)]
    assert api.post("/orders", json=ORDER).status_code == 201


def test_discard_starts_a_new_age_for_later_versions(
    parked: UUID, api: FlaskClient, services: Services, outbox: Outbox
) -> None:
    assert outbox.discard(parked)
    backlog = services.measure_backlog()
    assert backlog.parked == 0
    assert (backlog.oldest_s or 0) < 60
    assert api.post("/orders", json=ORDER).status_code == 201


def test_row_behind_a_parked_one_is_looked_at_ever_more_rarely(
    parked: UUID, outbox: Outbox, execute: Execute
) -> None:
    pause = "SELECT extract(epoch FROM due_at - clock_timestamp()) FROM outbox WHERE parked_at IS NULL"
    pauses = []
    for parked_for in ("1 s", "10 s", "1 h"):
        execute("UPDATE outbox SET due_at = now() - interval '1 s' WHERE parked_at IS NULL")
        execute(
            "UPDATE outbox SET parked_at = clock_timestamp() - CAST(:age AS interval) WHERE parked_at IS NOT NULL",
            age=parked_for,
        )
        assert outbox.claim(10) == ([], 1)
        pauses.append(float(execute(pause)[0][0]))
    assert pauses == [pytest.approx(1, abs=0.5), pytest.approx(10, abs=0.5), pytest.approx(60, abs=0.5)]


def test_row_behind_one_that_is_tried_again_and_again_is_looked_at_more_rarely(
    api: FlaskClient, outbox: Outbox, execute: Execute
) -> None:
    """An order whose partition is unreachable for hours: its later versions need not be judged each second."""
    order = api.post("/orders", json=ORDER).get_json()["id"]
    api.patch(f"/orders/{order}", json={"status": "confirmed"})
    execute("UPDATE outbox SET attempts = 5, due_at = now() + interval '1 min' WHERE version = 1")
    assert outbox.claim(10) == ([], 1)
    ((pause,),) = execute(
        "SELECT extract(epoch FROM due_at - clock_timestamp()) FROM outbox WHERE version = 2"
    )
    assert float(pause) == pytest.approx(16, abs=0.5)


def test_health_names_the_parked_events_and_the_command(
    parked: UUID, app: Flask, api: FlaskClient, outbox: Outbox
) -> None:
    healthy = Cached(lambda: {"status": "ok"}, 60)  # nothing else is wrong
    app.extensions[EXTENSION] = replace(services_of(app), topic_health=healthy)
    body = api.get("/health/ready").get_json()
    assert body["status"] == "degraded"
    assert body["checks"]["outbox"]["parked"] == 1
    assert "./start_project.sh parked" in body["checks"]["outbox"]["detail"]
    outbox.discard(parked)
    assert api.get("/health/ready").get_json()["status"] == "ok"


def test_health_without_parked_events_has_no_detail(api: FlaskClient) -> None:
    assert api.get("/health/ready").get_json()["checks"]["outbox"] == {
        "rows": 0,
        "oldest_s": None,
        "parked": 0,
    }
