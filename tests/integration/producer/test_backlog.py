from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from producer import create_app
from producer.cached import Cached
from producer.config import Settings
from producer.services import EXTENSION
from tests.integration.producer.conftest import services_of

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}


@pytest.fixture
def bounded(settings: Settings) -> Iterator[Callable[..., FlaskClient]]:
    apps = []

    def make(**bounds: Any) -> FlaskClient:
        app = create_app(settings.model_copy(update=bounds))
        services = services_of(app)
        app.extensions[EXTENSION] = replace(services, backlog=Cached(services.measure_backlog, 0))
        apps.append(app)
        return app.test_client()

    yield make
    for app in apps:
        services_of(app).stop()


def test_order_is_refused_when_the_outbox_has_too_many_rows(
    bounded: Any, scalar: Callable[[str], Any]
) -> None:
    api = bounded(outbox_max_rows=3)
    statuses = [api.post("/orders", json=ORDER).status_code for _ in range(6)]
    assert statuses == [201, 201, 201, 201, 503, 503]
    answer = api.post("/orders/random", json={"count": 1})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert scalar("SELECT count(*) FROM orders") == 4


def test_order_is_refused_when_outbox_rows_are_too_old(bounded: Any, engine: sa.Engine) -> None:
    api = bounded(outbox_max_age_s=60)
    assert api.post("/orders", json=ORDER).status_code == 201
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE outbox SET created_at = now() - interval '61 s'"))
    assert api.post("/orders", json=ORDER).status_code == 503


def test_parked_rows_do_not_count_as_backlog(bounded: Any, engine: sa.Engine) -> None:
    api = bounded(outbox_max_age_s=60)
    api.post("/orders", json=ORDER)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE outbox SET created_at = now() - interval '1 h', parked_at = now()")
        )
    assert api.post("/orders", json=ORDER).status_code == 201


def test_existing_orders_can_be_read_and_changed_despite_a_full_backlog(bounded: Any) -> None:
    api = bounded(outbox_max_rows=1)
    for _ in range(3):
        api.post("/orders", json=ORDER)
    order = api.get("/orders").get_json()["orders"][0]
    assert api.patch(f"/orders/{order['id']}", json={"status": "confirmed"}).status_code == 200
