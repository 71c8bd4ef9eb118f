"""The bound on the outbox, as requests meet it: by the last measurement, which nobody waits for."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from producer.domain.backlog import EXACT_ROWS, measure_backlog
from producer.services import EXTENSION, Services
from tests.eventually import eventually

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}


def test_order_is_refused_while_the_backlog_is_unknown(
    app: Flask, services: Services, api: FlaskClient
) -> None:
    app.extensions[EXTENSION] = replace(services, backlog=lambda: None)
    response = api.post("/orders", json=ORDER)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "not known" in response.get_json()["detail"]


def test_old_backlog_is_noticed_without_being_asked_for(
    services: Services, api: FlaskClient, engine: sa.Engine
) -> None:
    services.backlog_monitor.start()
    assert api.post("/orders", json=ORDER).status_code == 201
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE outbox SET created_at = now() - interval '25 h'"))
    eventually(lambda: api.post("/orders", json=ORDER).status_code == 503, within=5)


def test_questions_about_the_backlog_use_indexes(engine: sa.Engine) -> None:
    """At a million rows a scan takes longer than the relay's statement timeout."""
    questions = {
        "outbox_created_at": "SELECT min(created_at) FROM outbox WHERE parked_at IS NULL",
        "outbox_parked": "SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL",
    }
    many = (
        "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)"
        " SELECT gen_random_uuid(), 'order', gen_random_uuid(), 'order.placed', '{}', 1, false, now()"
        " FROM generate_series(1, 20000)"
    )
    with engine.begin() as connection:
        connection.execute(sa.text(many))
        connection.execute(sa.text("ANALYZE outbox"))
        for index, question in questions.items():
            plan: list[Any] = list(connection.execute(sa.text(f"EXPLAIN {question}")).scalars())
            assert any(index in line for line in plan), plan


def test_many_rows_are_counted_about_right(engine: sa.Engine) -> None:
    """Counting a million rows would take longer than the answer is worth."""
    many = (
        "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)"
        " SELECT gen_random_uuid(), 'order', gen_random_uuid(), 'order.placed', '{}', 1, false, now()"
        " FROM generate_series(1, :rows)"
    )
    with engine.begin() as connection:
        connection.execute(sa.text(many), {"rows": EXACT_ROWS})
    assert measure_backlog(engine).rows == EXACT_ROWS
    with engine.begin() as connection:
        connection.execute(sa.text(many), {"rows": 20_000})
        connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))

    def is_about_right() -> bool:
        assert measure_backlog(engine).rows == pytest.approx(EXACT_ROWS + 20_000, rel=0.1)
        return True

    # An analyze that began before the second insertion may end after it: then the next one is waited for.
    eventually(is_about_right, within=100, every=0.5)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM outbox"))
    assert measure_backlog(engine).rows == 0
