"""The API's document against the real API: its examples are accepted, and real responses match it."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from producer import create_app
from producer.config import Settings
from producer.domain.status import Status
from producer.openapi.document import document
from tests.described_api import DescribedApi

DESCRIBED = DescribedApi(document()).close()
WITH_BODY = [
    (method, path) for method, path, operation in DESCRIBED.operations() if "requestBody" in operation
]
UNKNOWN = UUID(int=0)
CONFIRM = {"status": Status.CONFIRMED}
CASES: list[tuple[str, str, dict[str, Any], int]] = [
    ("get", "/", {}, 200),
    ("get", "/docs", {}, 200),
    ("get", "/openapi.json", {}, 200),
    ("get", "/health/live", {}, 200),
    ("get", "/health/ready", {}, 200),
    ("get", "/orders", {}, 200),
    ("get", "/orders", {"query_string": f"limit=1&status={Status.PLACED}"}, 200),
    ("get", "/orders", {"query_string": "limit=0"}, 422),
    ("get", "/orders", {"query_string": "after=x"}, 400),
    ("get", "/orders", {"headers": {"Host": "evil.example"}}, 400),
    ("get", "/orders/{order_id}", {}, 200),
    ("get", "/orders/{order_id}", {"order_id": UNKNOWN}, 404),
    ("patch", "/orders/{order_id}", {"json": CONFIRM}, 200),
    ("patch", "/orders/{order_id}", {"json": CONFIRM, "headers": {"If-Match": '"1"'}}, 200),
    ("patch", "/orders/{order_id}", {"json": CONFIRM, "headers": {"If-Match": '"9"'}}, 412),
    ("patch", "/orders/{order_id}", {"json": CONFIRM, "order_id": UNKNOWN}, 404),
    ("patch", "/orders/{order_id}", {"json": {"status": Status.DELIVERED}}, 409),
    ("patch", "/orders/{order_id}", {"json": {"status": "lost"}}, 422),
]
REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"data": "{", "content_type": "application/json"}, 400),
    ({"json": {}, "headers": {"Origin": "http://evil.example"}}, 403),
    ({"data": "x" * (2 << 20), "content_type": "application/json"}, 413),
    ({"data": "{}", "content_type": "text/plain"}, 415),
    ({"json": {}}, 422),
    ({"json": {"unknown": 1}}, 422),
]


def send(api: FlaskClient, method: str, path: str, request: dict[str, Any]) -> TestResponse:
    """Send the request to the path of a new order, or of the request's own `order_id`."""
    arguments = dict(request)
    order_id = (
        arguments.pop("order_id", None)
        or api.post("/orders", json=example("post", "/orders")).get_json()["id"]
    )
    return api.open(path.format(order_id=order_id), method=method.upper(), **arguments)


def example(method: str, path: str) -> dict[str, Any]:
    body: dict[str, Any] = DESCRIBED.operation(method, path)["requestBody"]["content"]["application/json"][
        "example"
    ]
    return body


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_documented_example_is_accepted_unchanged(api: FlaskClient, method: str, path: str) -> None:
    response = send(api, method, path, {"json": example(method, path)})
    assert response.status_code == (200 if method == "patch" else 201)
    DESCRIBED.hold(method, path, response)


def test_documented_example_is_accepted_from_our_own_origin(api: FlaskClient) -> None:
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    response = api.post("/orders", json=example("post", "/orders"), headers=headers)
    DESCRIBED.hold("post", "/orders", response)
    assert response.status_code == 201


@pytest.mark.parametrize(("method", "path", "request_", "status"), CASES)
def test_response_matches_the_document(
    api: FlaskClient, method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    response = send(api, method, path, request_)
    assert response.status_code == status
    DESCRIBED.hold(method, path, response)


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
@pytest.mark.parametrize(("request_", "status"), REFUSED)
def test_refusal_matches_the_document(
    api: FlaskClient, method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    response = send(api, method, path, request_)
    assert response.status_code == status
    DESCRIBED.hold(method, path, response)


def test_conflict_on_an_idempotency_key_matches_the_document(api: FlaskClient, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('k', 0))"))
        response = api.post("/orders", json=example("post", "/orders"), headers={"Idempotency-Key": "k"})
    assert response.status_code == 409
    DESCRIBED.hold("post", "/orders", response)


@pytest.mark.parametrize("path", ["/orders", "/health/ready"])
def test_response_without_a_database_matches_the_document(settings: Settings, path: str) -> None:
    unreachable = settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/nothing"})
    response = create_app(unreachable).test_client().get(path)
    assert response.status_code == 503
    DESCRIBED.hold("get", path, response)


def test_every_documented_status_is_tested() -> None:
    """Every documented status must be in CASES or REFUSED, except 201 and 503, which have tests of their own."""
    documented = {int(s) for _, _, operation in DESCRIBED.operations() for s in operation["responses"]}
    tested = {status for *_, status in CASES} | {status for _, status in REFUSED}
    assert documented - tested == {201, 503}
