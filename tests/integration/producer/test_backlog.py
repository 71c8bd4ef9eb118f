"""The backlog limits: too many outbox rows, or too old ones, and new orders are refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from producer import create_app
from producer.cached import Cached
from producer.config import Settings
from producer.domain.status import Status
from producer.services import EXTENSION
from tests.integration.producer.conftest import Scalar, services_of
from tests.shop import ORDER


class ApiWithLimits(Protocol):
    """The `api_with_limits` fixture. limits: settings of the producer."""

    def __call__(self, **limits: Any) -> FlaskClient: ...


@pytest.fixture
def api_with_limits(settings: Settings) -> Iterator[ApiWithLimits]:
    """Create an application with these settings that measures its backlog anew for every request."""
    apps: list[Flask] = []

    def create(**limits: Any) -> FlaskClient:
        app = create_app(settings.model_copy(update=limits))
        services = services_of(app)
        app.extensions[EXTENSION] = replace(services, backlog=Cached(services.measure_backlog, 0))
        apps.append(app)
        return app.test_client()

    yield create
    for app in apps:
        services_of(app).stop()


def test_order_is_refused_when_the_outbox_has_too_many_rows(
    api_with_limits: ApiWithLimits, scalar: Scalar
) -> None:
    api = api_with_limits(outbox_max_rows=3)
    statuses = [api.post("/orders", json=ORDER).status_code for _ in range(6)]
    assert statuses == [201, 201, 201, 201, 503, 503]
    response = api.post("/orders/random", json={"count": 1})
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert scalar("SELECT count(*) FROM orders") == 4


def test_order_is_refused_when_outbox_rows_are_too_old(
    api_with_limits: ApiWithLimits, engine: sa.Engine
) -> None:
    api = api_with_limits(outbox_max_age_s=60)
    assert api.post("/orders", json=ORDER).status_code == 201
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE outbox SET created_at = now() - interval '61 s'"))
    assert api.post("/orders", json=ORDER).status_code == 503


def test_parked_rows_do_not_count_as_backlog(api_with_limits: ApiWithLimits, engine: sa.Engine) -> None:
    api = api_with_limits(outbox_max_age_s=60)
    api.post("/orders", json=ORDER)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE outbox SET created_at = now() - interval '1 h', parked_at = now()")
        )
    assert api.post("/orders", json=ORDER).status_code == 201


def test_existing_orders_can_be_read_and_changed_despite_a_full_backlog(
    api_with_limits: ApiWithLimits,
) -> None:
    api = api_with_limits(outbox_max_rows=1)
    for _ in range(3):
        api.post("/orders", json=ORDER)
    order = api.get("/orders").get_json()["orders"][0]
    assert api.patch(f"/orders/{order['id']}", json={"status": Status.CONFIRMED}).status_code == 200
