"""The transitions of an order: placed, confirmed, shipped, delivered; cancelled from the first two."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from producer.domain.status import Status
from tests.eventually import eventually
from tests.integration.producer.conftest import Scalar
from tests.shop import DELIVERY, ORDER


@pytest.fixture
def order(api: FlaskClient) -> str:
    return str(api.post("/orders", json=ORDER).get_json()["id"])


def change_status(api: FlaskClient, order: str, status: Any, **headers: str) -> TestResponse:
    return api.patch(f"/orders/{order}", json={"status": status}, headers=headers)


def test_each_transition_stores_a_version_and_an_event(api: FlaskClient, order: str, scalar: Scalar) -> None:
    for version, status in enumerate(DELIVERY, start=2):
        response = change_status(api, order, status)
        assert response.status_code == 200
        assert (response.get_json()["status"], response.get_json()["version"]) == (status, version)
        assert response.headers["ETag"] == f'"{version}"'
    statuses = [Status.PLACED, *DELIVERY]
    types = scalar("SELECT array_agg(type ORDER BY version) FROM outbox")
    in_payload = scalar("SELECT array_agg(payload::json->'data'->>'status' ORDER BY version) FROM outbox")
    assert types == [f"order.{status}" for status in statuses]
    assert in_payload == statuses


@pytest.mark.parametrize("path", [[Status.CANCELLED], [Status.CONFIRMED, Status.CANCELLED]])
def test_order_can_be_cancelled_before_it_is_shipped(
    api: FlaskClient, order: str, path: list[Status]
) -> None:
    assert [change_status(api, order, status).status_code for status in path] == [200] * len(path)


@pytest.mark.parametrize(
    ("path", "invalid"),
    [
        ([], Status.SHIPPED),
        ([], Status.DELIVERED),
        ([Status.CONFIRMED], Status.CONFIRMED),
        ([Status.CONFIRMED], Status.DELIVERED),
        ([Status.CONFIRMED, Status.SHIPPED], Status.CANCELLED),
        (list(DELIVERY), Status.CANCELLED),
        ([Status.CANCELLED], Status.CONFIRMED),
    ],
)
def test_invalid_transition_is_refused(
    api: FlaskClient, order: str, scalar: Scalar, path: list[Status], invalid: Status
) -> None:
    for status in path:
        change_status(api, order, status)
    response = change_status(api, order, invalid)
    assert response.status_code == 409
    assert invalid in response.get_json()["detail"]
    assert scalar("SELECT version FROM orders") == 1 + len(path)
    assert scalar("SELECT count(*) FROM outbox") == 1 + len(path)


@pytest.mark.parametrize("status", [Status.PLACED, "lost", None, 5])
def test_invalid_target_status_is_refused(api: FlaskClient, order: str, status: Any) -> None:
    response = change_status(api, order, status)
    assert response.status_code == 422
    assert response.get_json()["errors"][0]["pointer"] == "/status"


def test_transition_of_an_unknown_order_is_404(api: FlaskClient) -> None:
    assert change_status(api, "01939b1e-6b1c-7c3a-8b1e-0123456789ab", Status.CONFIRMED).status_code == 404


def test_if_match_allows_only_the_version_that_was_read(api: FlaskClient, order: str) -> None:
    etag = api.get(f"/orders/{order}").headers["ETag"]
    assert change_status(api, order, Status.CONFIRMED, **{"If-Match": etag}).status_code == 200
    assert change_status(api, order, Status.SHIPPED, **{"If-Match": etag}).status_code == 412
    assert change_status(api, order, Status.SHIPPED, **{"If-Match": '"2"'}).status_code == 200
    assert change_status(api, order, Status.DELIVERED, **{"If-Match": "*"}).status_code == 200


def test_event_is_left_to_the_relay_while_an_earlier_event_is_in_the_outbox(
    api: FlaskClient, order: str, scalar: Scalar, engine: sa.Engine
) -> None:
    change_status(api, order, Status.CONFIRMED)
    assert scalar("SELECT array_agg(direct ORDER BY version) FROM outbox") == [True, False]
    assert scalar("SELECT due_at <= clock_timestamp() FROM outbox WHERE version = 2")
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM outbox"))
    change_status(api, order, Status.SHIPPED)
    assert scalar("SELECT array_agg(direct ORDER BY version) FROM outbox") == [True]


def test_transitions_that_wait_for_the_same_row_lock_are_never_both_direct(
    app: Flask, order: str, scalar: Scalar, engine: sa.Engine
) -> None:
    """The second transition waits for the row lock while the outbox is empty, and must see the first one's event.

    If the statement that takes the lock also asked for earlier events, it would see the outbox as it was before
    the wait, and this test would fail.
    """
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM outbox"))
    lock_holder = engine.connect()
    transaction = lock_holder.begin()
    lock_holder.execute(sa.text("SELECT FROM orders FOR UPDATE"))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(change_status, app.test_client(), order, Status.CONFIRMED)
        eventually(lambda: count_lock_waits(scalar) == 1)
        second = pool.submit(change_status, app.test_client(), order, Status.CANCELLED)
        eventually(lambda: count_lock_waits(scalar) == 2)
        transaction.rollback()
        lock_holder.close()
        assert (first.result(10).status_code, second.result(10).status_code) == (200, 200)
    assert scalar("SELECT array_agg(direct ORDER BY version) FROM outbox") == [True, False]


def count_lock_waits(scalar: Scalar) -> int:
    return int(
        scalar(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    )


def test_concurrent_transitions_give_versions_without_gaps(
    app: Flask, api: FlaskClient, scalar: Scalar
) -> None:
    """Each is made or refused as a conflict: with the order's row locked, none meets another's version."""
    orders = [str(api.post("/orders", json=ORDER).get_json()["id"]) for _ in range(5)]
    start = threading.Barrier(10)

    def confirm_then_cancel(number: int) -> list[int]:
        client = app.test_client()
        start.wait(10)
        return [
            change_status(client, order, status).status_code
            for order in orders
            for status in (Status.CONFIRMED, Status.CANCELLED)
        ]

    with ThreadPoolExecutor(10) as pool:
        answers = Counter(
            status for statuses in pool.map(confirm_then_cancel, range(10)) for status in statuses
        )
    assert set(answers) == {200, 409}
    assert scalar("SELECT count(*) FROM outbox") == len(orders) + answers[200]
    gaps = scalar(
        "SELECT count(*) FROM (SELECT max(version) AS highest, count(*) AS events FROM outbox"
        " GROUP BY aggregateid) AS orders WHERE highest <> events"
    )
    assert gaps == 0
