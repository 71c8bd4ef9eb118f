"""The Idempotency-Key of the POST requests: a retry with the same key places no second order."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from producer.relay.outbox import Outbox
from producer.services import Services
from tests.eventually import eventually
from tests.integration.producer.conftest import Scalar
from tests.shop import ORDER

POSTS = [
    ("/orders", ORDER),
    ("/orders/batch", {"orders": [ORDER, ORDER]}),
    ("/orders/random", {"count": 3}),
]


def post(api: FlaskClient, path: str, body: Any, key: str = "key-1") -> TestResponse:
    return api.post(path, json=body, headers={"Idempotency-Key": key})


@pytest.mark.parametrize(("path", "body"), POSTS)
def test_same_idempotency_key_and_body_get_the_same_response(
    api: FlaskClient, scalar: Scalar, path: str, body: dict[str, Any]
) -> None:
    first, retry = post(api, path, body), post(api, path, body)
    assert (first.status_code, retry.status_code) == (201, 201)
    assert retry.data == first.data
    assert retry.headers.get("Location") == first.headers.get("Location")
    placed = len(body.get("orders", [])) or body.get("count", 1)
    assert scalar("SELECT count(*) FROM orders") == scalar("SELECT count(*) FROM outbox") == placed


def test_idempotency_key_with_another_body_is_refused(api: FlaskClient, scalar: Scalar) -> None:
    post(api, "/orders", ORDER)
    response = post(api, "/orders", ORDER | {"quantity": 3})
    assert response.status_code == 422
    assert "Idempotency-Key" in response.get_json()["detail"]
    assert scalar("SELECT count(*) FROM orders") == 1


def test_idempotency_key_for_another_endpoint_is_refused(api: FlaskClient) -> None:
    post(api, "/orders/random", {"count": 1})
    assert post(api, "/orders", ORDER).status_code == 422


def test_other_idempotency_keys_and_no_key_place_other_orders(api: FlaskClient, scalar: Scalar) -> None:
    for key in ("a", '"b"', "c"):
        assert post(api, "/orders", ORDER, key).status_code == 201
    api.post("/orders", json=ORDER)
    api.post("/orders", json=ORDER)
    assert scalar("SELECT count(*) FROM orders") == 5


def test_quoted_idempotency_key_equals_the_unquoted_key(api: FlaskClient) -> None:
    assert post(api, "/orders", ORDER, "k").data == post(api, "/orders", ORDER, '"k"').data


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "ключ", 'half"', "two words"])
def test_invalid_idempotency_key_is_refused(api: FlaskClient, scalar: Scalar, key: str) -> None:
    assert post(api, "/orders", ORDER, key).status_code == 400
    assert scalar("SELECT count(*) FROM orders") == 0


def test_concurrent_requests_with_one_idempotency_key_place_one_order(app: Flask, scalar: Scalar) -> None:
    def place(_: int) -> TestResponse:
        return post(app.test_client(), "/orders", ORDER)

    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(place, range(50)))
    assert scalar("SELECT count(*) FROM orders") == 1
    assert {response.status_code for response in responses} <= {201, 409}
    assert len({response.data for response in responses if response.status_code == 201}) == 1
    assert all("Retry-After" in response.headers for response in responses if response.status_code == 409)


def test_retry_that_looks_for_the_response_does_not_get_the_first_request_refused(
    app: Flask, services: Services, engine: sa.Engine, scalar: Scalar
) -> None:
    """The first request waits for its group, while a retry looks for what it is to store."""

    def first_is_stored(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "FROM idempotency_keys" in statement:
            holder.rollback()
            assert first.result(10).status_code == 201

    with engine.connect() as holder, ThreadPoolExecutor(2) as pool:
        holder.execute(sa.text("LOCK TABLE orders IN EXCLUSIVE MODE"))
        before = pool.submit(app.test_client().post, "/orders", json=ORDER)
        eventually(lambda: services.group_commit._is_led and not services.group_commit._queue)
        first = pool.submit(post, app.test_client(), "/orders", ORDER)
        eventually(lambda: services.group_commit._queue)
        sa.event.listen(services.database.engine, "before_cursor_execute", first_is_stored)
        retry = post(app.test_client(), "/orders", ORDER)
        sa.event.remove(services.database.engine, "before_cursor_execute", first_is_stored)
        assert before.result(10).status_code == 201
    assert (retry.status_code, retry.data) == (201, first.result().data)
    assert scalar("SELECT count(*) FROM orders") == 2


def test_retry_during_the_first_request_gets_409_with_retry_after(
    api: FlaskClient, engine: sa.Engine, scalar: Scalar
) -> None:
    with engine.begin() as running:
        running.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('key-1', 0))"))
        response = post(api, "/orders", ORDER)
        assert response.status_code == 409
        assert response.headers["Retry-After"] == "1"
    assert post(api, "/orders", ORDER).status_code == 201


def test_failed_request_stores_no_idempotency_key(
    api: FlaskClient, engine: sa.Engine, scalar: Scalar
) -> None:
    """The database refuses the event after the key was stored: nothing is kept, and a retry is a new attempt."""
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE outbox ADD CONSTRAINT broken CHECK (version > 1)"))
    try:
        assert post(api, "/orders", ORDER).status_code == 500
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE outbox DROP CONSTRAINT broken"))
    assert scalar("SELECT count(*) FROM orders") == scalar("SELECT count(*) FROM idempotency_keys") == 0
    assert post(api, "/orders", ORDER).status_code == 201


def test_invalid_body_does_not_use_up_the_idempotency_key(api: FlaskClient) -> None:
    assert post(api, "/orders", ORDER | {"quantity": 0}).status_code == 422
    assert post(api, "/orders", ORDER).status_code == 201


def test_expired_idempotency_key_can_be_reused_and_is_deleted(
    api: FlaskClient, engine: sa.Engine, outbox: Outbox, scalar: Scalar
) -> None:
    def expire() -> None:
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE idempotency_keys SET expires_at = now() - interval '1 s'"))

    post(api, "/orders", ORDER)
    expire()
    post(api, "/orders", ORDER | {"quantity": 3})
    assert scalar("SELECT count(*) FROM orders") == 2
    outbox.delete_expired_keys(100)
    assert scalar("SELECT count(*) FROM idempotency_keys") == 1
    expire()
    outbox.delete_expired_keys(100)
    assert scalar("SELECT count(*) FROM idempotency_keys") == 0
