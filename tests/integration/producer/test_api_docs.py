"""The API's document against the real API: its examples are accepted, and real answers are as described."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from producer import create_app
from producer.config import Settings
from producer.openapi.document import document
from tests.described_api import DescribedApi

DESCRIBED = DescribedApi(document()).close()
WITH_BODY = [
    (method, path) for method, path, operation in DESCRIBED.operations() if "requestBody" in operation
]
NOBODY = UUID(int=0)
CASES: list[tuple[str, str, dict[str, Any], int]] = [
    ("get", "/", {}, 200),
    ("get", "/docs", {}, 200),
    ("get", "/openapi.json", {}, 200),
    ("get", "/health/live", {}, 200),
    ("get", "/health/ready", {}, 200),
    ("get", "/orders", {}, 200),
    ("get", "/orders", {"query_string": "limit=1&status=placed"}, 200),
    ("get", "/orders", {"query_string": "limit=0"}, 422),
    ("get", "/orders", {"query_string": "after=x"}, 400),
    ("get", "/orders", {"headers": {"Host": "evil.example"}}, 400),
    ("get", "/orders/{order_id}", {}, 200),
    ("get", "/orders/{order_id}", {"order_id": NOBODY}, 404),
    ("patch", "/orders/{order_id}", {"json": {"status": "confirmed"}}, 200),
    ("patch", "/orders/{order_id}", {"json": {"status": "confirmed"}, "headers": {"If-Match": '"1"'}}, 200),
    ("patch", "/orders/{order_id}", {"json": {"status": "confirmed"}, "headers": {"If-Match": '"9"'}}, 412),
    ("patch", "/orders/{order_id}", {"json": {"status": "confirmed"}, "order_id": NOBODY}, 404),
    ("patch", "/orders/{order_id}", {"json": {"status": "delivered"}}, 409),
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


def ask(api: FlaskClient, method: str, path: str, request: dict[str, Any]) -> TestResponse:
    """order_id: of a new order, unless the request says another one."""
    wanted = dict(request)
    order_id = (
        wanted.pop("order_id", None) or api.post("/orders", json=example("post", "/orders")).get_json()["id"]
    )
    return api.open(path.format(order_id=order_id), method=method.upper(), **wanted)


def example(method: str, path: str) -> dict[str, Any]:
    body: dict[str, Any] = DESCRIBED.operation(method, path)["requestBody"]["content"]["application/json"][
        "example"
    ]
    return body


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_documented_example_is_accepted_unchanged(api: FlaskClient, method: str, path: str) -> None:
    answer = ask(api, method, path, {"json": example(method, path)})
    assert answer.status_code == (200 if method == "patch" else 201)
    DESCRIBED.hold(method, path, answer)


def test_documented_example_is_accepted_from_our_own_origin(api: FlaskClient) -> None:
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    answer = api.post("/orders", json=example("post", "/orders"), headers=headers)
    DESCRIBED.hold("post", "/orders", answer)
    assert answer.status_code == 201


@pytest.mark.parametrize(("method", "path", "request_", "status"), CASES)
def test_response_matches_the_document(
    api: FlaskClient, method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    answer = ask(api, method, path, request_)
    assert answer.status_code == status
    DESCRIBED.hold(method, path, answer)


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
@pytest.mark.parametrize(("request_", "status"), REFUSED)
def test_refusal_matches_the_document(
    api: FlaskClient, method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    answer = ask(api, method, path, request_)
    assert answer.status_code == status
    DESCRIBED.hold(method, path, answer)


def test_conflict_on_an_idempotency_key_matches_the_document(api: FlaskClient, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('k', 0))"))
        answer = api.post("/orders", json=example("post", "/orders"), headers={"Idempotency-Key": "k"})
    assert answer.status_code == 409
    DESCRIBED.hold("post", "/orders", answer)


@pytest.mark.parametrize("path", ["/orders", "/health/ready"])
def test_response_without_a_database_matches_the_document(settings: Settings, path: str) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/nothing"})
    answer = create_app(away).test_client().get(path)
    assert answer.status_code == 503
    DESCRIBED.hold("get", path, answer)


def test_every_documented_status_is_tested() -> None:
    """Of writes; a read's 503 is above. Whoever describes another status shows it here."""
    described = {int(s) for _, _, operation in DESCRIBED.operations() for s in operation["responses"]}
    seen = {status for *_, status in CASES} | {status for _, status in REFUSED}
    assert described - seen == {201, 503}
