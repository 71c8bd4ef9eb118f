"""Requests that publish nothing: replays are answered, probes are given back, and what goes directly is told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from producer import create_app
from producer.cached import Cached
from producer.config import Settings
from producer.domain.draft import OrderDraft
from producer.domain.models import Order
from producer.domain.status import Status
from producer.publishing.breaker import Breaker, BreakerPolicy
from producer.publishing.publisher import Publisher
from producer.services import EXTENSION, Services
from tests.clock import FakeClock
from tests.integration.producer.conftest import services_of
from tests.unit.producer.fake_kafka import FakeProducer

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
KEY = {"Idempotency-Key": "key-1"}
UNKNOWN = "01939b1e-6b1c-7c3a-8b1e-0123456789ab"
GRACE = timedelta(seconds=6)
Scalar = Callable[[str], Any]


class Shop:
    """The application with a fake Kafka client, whose breaker is half-open until a probe is acknowledged."""

    def __init__(self, settings: Settings):
        clock = FakeClock()
        self.app = create_app(settings)
        self.kafka = FakeProducer()
        self.breaker = Breaker(BreakerPolicy(failures=1), clock)
        publisher = Publisher(lambda: self.kafka, "orders", GRACE, self.breaker, lambda: None, clock)
        publisher.start()
        self.app.extensions[EXTENSION] = replace(services_of(self.app), publisher=publisher)
        self.api = self.app.test_client()
        self._clock = clock

    def open_half(self) -> None:
        permit = self.breaker.permit()
        assert permit is not None
        self.breaker.failed(permit)
        self._clock.now += 5
        assert self.breaker.state == "half-open"


@pytest.fixture
def shop(settings: Settings) -> Iterator[Shop]:
    shop = Shop(settings)
    yield shop
    services_of(shop.app).stop()


# --- Probes (P13)


def test_request_that_places_nothing_does_not_use_the_probe_up(shop: Shop) -> None:
    assert shop.api.post("/orders", json=ORDER, headers=KEY).status_code == 201
    shop.open_half()
    order = shop.api.get("/orders").get_json()["orders"][0]["id"]
    assert shop.api.post("/orders", json=ORDER, headers=KEY).status_code == 201
    assert shop.api.post("/orders", json=ORDER | {"quantity": 3}, headers=KEY).status_code == 422
    assert shop.api.post("/orders", json={}).status_code == 422
    assert shop.api.patch(f"/orders/{UNKNOWN}", json={"status": "confirmed"}).status_code == 404
    assert shop.api.patch(f"/orders/{order}", json={"status": "delivered"}).status_code == 409
    stale = {"If-Match": '"7"'}
    assert shop.api.patch(f"/orders/{order}", json={"status": "confirmed"}, headers=stale).status_code == 412
    assert shop.api.patch(f"/orders/{order}", json={"status": "confirmed"}).status_code == 200
    assert len(shop.kafka.sent) == 1
    assert shop.api.post("/orders", json=ORDER).status_code == 201
    assert len(shop.kafka.sent) == 2
    assert shop.breaker.permit() is None


# --- Replays (P15)


def test_replay_is_answered_while_the_outbox_is_full(settings: Settings, scalar: Scalar) -> None:
    app = create_app(settings.model_copy(update={"outbox_max_rows": 1}))
    services = services_of(app)
    app.extensions[EXTENSION] = replace(services, backlog=Cached(services.measure_backlog, 0))
    api = app.test_client()
    first = api.post("/orders", json=ORDER, headers=KEY)
    assert (first.status_code, api.post("/orders", json=ORDER).status_code) == (201, 201)
    assert api.post("/orders", json=ORDER).status_code == 503
    again = api.post("/orders", json=ORDER, headers=KEY)
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Location"] == first.headers["Location"]
    other = api.post("/orders", json=ORDER, headers={"Idempotency-Key": "key-2"})
    assert (other.status_code, int(other.headers["Retry-After"])) == (503, 5)
    assert scalar("SELECT count(*) FROM orders") == 2
    services.stop()


def test_response_is_kept_for_24_hours(api: FlaskClient, scalar: Scalar) -> None:
    assert api.post("/orders", json=ORDER, headers=KEY).status_code == 201
    assert scalar(
        "SELECT expires_at - now() BETWEEN interval '23 h 59 min' AND interval '24 h' FROM idempotency_keys"
    )


def test_response_is_replayed_until_it_expires(api: FlaskClient, engine: sa.Engine, scalar: Scalar) -> None:
    first = api.post("/orders", json=ORDER, headers=KEY)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE idempotency_keys SET expires_at = expires_at - interval '23 h 59 min'")
        )
    assert api.post("/orders", json=ORDER, headers=KEY).data == first.data
    assert scalar("SELECT count(*) FROM orders") == 1


# --- What may be published directly


def test_event_is_direct_only_while_no_earlier_one_is_in_the_outbox(
    services: Services, engine: sa.Engine
) -> None:
    draft = OrderDraft.model_validate(ORDER)

    def move(status: Status) -> bool:
        with services.database.transaction():
            found = Order.get_for_update(order.id)
            assert found is not None
            return found.move_to(status, GRACE).direct

    placement = Order.place([draft], GRACE)
    (order,), (placed,) = placement.orders, placement.events
    services.group_commit.store(placement, None, lambda: None)
    assert placed.direct
    assert not move(Status.CONFIRMED)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM outbox"))
    assert move(Status.SHIPPED)


def test_second_version_is_published_directly_only_after_the_first_was_read_back(
    shop: Shop, engine: sa.Engine
) -> None:
    order = shop.api.post("/orders", json=ORDER).get_json()["id"]
    shop.api.patch(f"/orders/{order}", json={"status": "confirmed"})
    assert len(shop.kafka.sent) == 1
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM outbox"))
    shop.api.patch(f"/orders/{order}", json={"status": "shipped"})
    assert len(shop.kafka.sent) == 2
    assert b'"order.shipped"' in shop.kafka.sent[1]


def test_row_is_left_to_the_direct_publish_for_its_grace_and_to_the_relay_at_once(
    shop: Shop, scalar: Scalar
) -> None:
    order = shop.api.post("/orders", json=ORDER).get_json()["id"]
    shop.api.patch(f"/orders/{order}", json={"status": "confirmed"})
    left = "SELECT extract(epoch FROM due_at - created_at)::float8 FROM outbox WHERE version = {}"
    assert scalar(left.format(1)) == pytest.approx(GRACE.total_seconds(), abs=1)
    assert scalar(left.format(2)) == pytest.approx(0, abs=1)
