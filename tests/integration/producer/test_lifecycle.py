"""placed, confirmed, shipped, delivered; cancelled from the first two."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.eventually import eventually

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
Scalar = Callable[[str], Any]


@pytest.fixture
def order(api: FlaskClient) -> str:
    return str(api.post("/orders", json=ORDER).get_json()["id"])


def move(api: FlaskClient, order: str, status: Any, **headers: str) -> TestResponse:
    return api.patch(f"/orders/{order}", json={"status": status}, headers=headers)


def test_each_transition_stores_a_version_and_an_event(api: FlaskClient, order: str, scalar: Scalar) -> None:
    for version, status in enumerate(("confirmed", "shipped", "delivered"), start=2):
        answer = move(api, order, status)
        assert answer.status_code == 200
        assert (answer.get_json()["status"], answer.get_json()["version"]) == (status, version)
        assert answer.headers["ETag"] == f'"{version}"'
    assert scalar("SELECT array_agg(type ORDER BY version) FROM outbox") == [
        "order.placed",
        "order.confirmed",
        "order.shipped",
        "order.delivered",
    ]
    assert scalar("SELECT array_agg(payload::json->'data'->>'status' ORDER BY version) FROM outbox") == [
        "placed",
        "confirmed",
        "shipped",
        "delivered",
    ]


@pytest.mark.parametrize("steps", [["cancelled"], ["confirmed", "cancelled"]])
def test_order_can_be_cancelled_before_it_is_shipped(api: FlaskClient, order: str, steps: list[str]) -> None:
    assert [move(api, order, step).status_code for step in steps] == [200] * len(steps)


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ([], "shipped"),
        ([], "delivered"),
        (["confirmed"], "confirmed"),
        (["confirmed"], "delivered"),
        (["confirmed", "shipped"], "cancelled"),
        (["confirmed", "shipped", "delivered"], "cancelled"),
        (["cancelled"], "confirmed"),
    ],
)
def test_invalid_transition_is_refused(
    api: FlaskClient, order: str, scalar: Scalar, steps: list[str], wrong: str
) -> None:
    for step in steps:
        move(api, order, step)
    answer = move(api, order, wrong)
    assert answer.status_code == 409
    assert wrong in answer.get_json()["detail"]
    assert scalar("SELECT version FROM orders") == 1 + len(steps)
    assert scalar("SELECT count(*) FROM outbox") == 1 + len(steps)


@pytest.mark.parametrize("status", ["placed", "lost", None, 5])
def test_invalid_target_status_is_refused(api: FlaskClient, order: str, status: Any) -> None:
    answer = move(api, order, status)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/status"


def test_transition_of_an_unknown_order_is_404(api: FlaskClient) -> None:
    assert move(api, "01939b1e-6b1c-7c3a-8b1e-0123456789ab", "confirmed").status_code == 404


def test_if_match_allows_only_the_version_that_was_read(api: FlaskClient, order: str) -> None:
    etag = api.get(f"/orders/{order}").headers["ETag"]
    assert move(api, order, "confirmed", **{"If-Match": etag}).status_code == 200
    assert move(api, order, "shipped", **{"If-Match": etag}).status_code == 412
    assert move(api, order, "shipped", **{"If-Match": '"2"'}).status_code == 200
    assert move(api, order, "delivered", **{"If-Match": "*"}).status_code == 200


def test_event_is_left_to_the_relay_while_an_earlier_event_is_in_the_outbox(
    api: FlaskClient, order: str, scalar: Scalar, engine: sa.Engine
) -> None:
    move(api, order, "confirmed")
    assert scalar("SELECT array_agg(direct ORDER BY version) FROM outbox") == [True, False]
    assert scalar("SELECT due_at <= clock_timestamp() FROM outbox WHERE version = 2")
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM outbox"))
    move(api, order, "shipped")
    assert scalar("SELECT array_agg(direct ORDER BY version) FROM outbox") == [True]


def test_transitions_that_wait_for_the_same_row_lock_are_never_both_direct(
    app: Flask, order: str, scalar: Scalar, engine: sa.Engine
) -> None:
    """The second one really waits on the row lock, while the outbox is empty, and must see what the first
    one stored meanwhile. (Asked in the statement that takes the lock, it would see the outbox as it was
    before the wait: this test fails then.)"""
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM outbox"))
    holder = engine.connect()
    holding = holder.begin()
    holder.execute(sa.text("SELECT FROM orders FOR UPDATE"))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(move, app.test_client(), order, "confirmed")
        eventually(lambda: waiting(scalar) == 1)
        second = pool.submit(move, app.test_client(), order, "cancelled")
        eventually(lambda: waiting(scalar) == 2)
        holding.rollback()
        holder.close()
        assert (first.result(10).status_code, second.result(10).status_code) == (200, 200)
    assert scalar("SELECT array_agg(direct ORDER BY version) FROM outbox") == [True, False]


def waiting(scalar: Scalar) -> int:
    return int(
        scalar(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    )


def test_concurrent_transitions_give_versions_without_gaps(
    app: Flask, api: FlaskClient, scalar: Scalar
) -> None:
    orders = [str(api.post("/orders", json=ORDER).get_json()["id"]) for _ in range(5)]
    start = threading.Barrier(10)

    def confirm_then_cancel(number: int) -> int:
        client = app.test_client()
        start.wait(10)
        return sum(
            move(client, order, status).status_code == 200
            for order in orders
            for status in ("confirmed", "cancelled")
        )

    with ThreadPoolExecutor(10) as pool:
        changes = sum(pool.map(confirm_then_cancel, range(10)))
    assert scalar("SELECT count(*) FROM outbox") == len(orders) + changes
    gaps = scalar(
        "SELECT count(*) FROM (SELECT max(version) AS highest, count(*) AS events FROM outbox"
        " GROUP BY aggregateid) AS orders WHERE highest <> events"
    )
    assert gaps == 0
