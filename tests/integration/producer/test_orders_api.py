"""POST and GET /orders: what is accepted, what is refused, and how."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from producer.domain.status import Status
from tests.integration.producer.conftest import Scalar
from tests.shop import ORDER


def place(api: FlaskClient, **changes: Any) -> TestResponse:
    return post(api, json.dumps(ORDER | changes))


def post(api: FlaskClient, body: str | bytes, content_type: str = "application/json") -> TestResponse:
    return api.post("/orders", data=body, content_type=content_type)


def count_stored(scalar: Scalar) -> tuple[int, int]:
    """Return the numbers of orders and of outbox rows."""
    return scalar("SELECT count(*) FROM orders"), scalar("SELECT count(*) FROM outbox")


def test_order_is_placed_and_found(api: FlaskClient) -> None:
    placed = place(api)
    assert placed.status_code == 201
    order = placed.get_json()
    assert order | {"id": 0, "created_at": 0, "updated_at": 0} == ORDER | {
        "id": 0,
        "description": "",
        "total": "64.00",
        "status": Status.PLACED,
        "version": 1,
        "created_at": 0,
        "updated_at": 0,
    }
    found = api.get(placed.headers["Location"])
    assert found.get_json() == order
    assert found.headers["ETag"] == '"1"'


def test_order_and_event_are_stored_together(api: FlaskClient, scalar: Scalar) -> None:
    order = place(api).get_json()
    assert count_stored(scalar) == (1, 1)
    assert scalar("SELECT payload::json->'data'->>'order_id' FROM outbox") == order["id"]
    assert scalar("SELECT payload::json->'data'->>'total' FROM outbox") == "64.00"


def test_total_is_exact_for_the_largest_order(api: FlaskClient) -> None:
    assert place(api, unit_price="9999999999.99", quantity=10_000).get_json()["total"] == "99999999999900.00"


def test_text_is_returned_unchanged(api: FlaskClient) -> None:
    name = "Zoë O'Brien; DROP TABLE orders -- <script>\u2028 李 👩‍👧"
    assert place(api, customer_name=name).get_json()["customer_name"] == name


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer_name": None}, "customer_name"),
        ({"customer_name": ""}, "customer_name"),
        ({"customer_name": "c" * 101}, "customer_name"),
        ({"item": 5}, "item"),
        ({"item": "nul\x00"}, "item"),
        ({"item": "\ud83d"}, "item"),
        ({"description": "d" * 1001}, "description"),
        ({"unit_price": 32}, "unit_price"),
        ({"unit_price": "-1"}, "unit_price"),
        ({"unit_price": "0"}, "unit_price"),
        ({"unit_price": "1.005"}, "unit_price"),
        ({"unit_price": "1e400"}, "unit_price"),
        ({"unit_price": "NaN"}, "unit_price"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": "2"}, "quantity"),
        ({"quantity": 10_001}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"status": Status.SHIPPED}, "status"),
        ({"id": "01939b1e-6b1c-7c3a-8b1e-0123456789ab"}, "id"),
    ],
)
def test_invalid_field_is_named_and_nothing_is_stored(
    api: FlaskClient, scalar: Scalar, change: dict[str, Any], field: str
) -> None:
    response = place(api, **change)
    assert response.status_code == 422
    assert response.mimetype == "application/problem+json"
    problem = response.get_json()
    assert (problem["status"], problem["title"]) == (422, "Unprocessable Entity")
    assert [error["pointer"] for error in problem["errors"]] == [f"/{field}"]
    assert count_stored(scalar) == (0, 0)


@pytest.mark.parametrize("field", sorted(ORDER))
def test_missing_field_is_named_and_nothing_is_stored(api: FlaskClient, scalar: Scalar, field: str) -> None:
    response = api.post("/orders", json={name: value for name, value in ORDER.items() if name != field})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.get_json()["errors"]] == [f"/{field}"]
    assert count_stored(scalar) == (0, 0)


def order_json(unit_price: str = '"1.00"', quantity: str = "1") -> str:
    """Return the text of an order with these two values as they are, JSON or not."""
    others = json.dumps(
        {name: value for name, value in ORDER.items() if name not in ("unit_price", "quantity")}
    )
    return f'{others[:-1]},"unit_price":{unit_price},"quantity":{quantity}}}'


@pytest.mark.parametrize(
    ("text", "status", "field"),
    [
        (order_json(unit_price="NaN"), 422, "/unit_price"),
        (order_json(unit_price="1e400"), 422, "/unit_price"),
        (order_json(quantity="Infinity"), 422, "/quantity"),
        (order_json(quantity="-1"), 422, "/quantity"),
        (order_json(quantity="1.0"), 422, "/quantity"),
        (order_json()[:-1] + ',"item":"c"}', 400, "/item"),
        (order_json()[:-1], 400, None),
        ("", 400, None),
        ("[" * 100_000, 400, None),
        ("[]", 422, None),
        ("null", 422, None),
        ('"text"', 422, None),
        (order_json().encode("utf-16"), 400, None),
        (b'{"item":"\xff"}', 400, None),
        ("x" * (10 << 20), 413, None),
    ],
)
def test_invalid_body_is_refused_and_nothing_is_stored(
    api: FlaskClient, scalar: Scalar, text: str | bytes, status: int, field: str | None
) -> None:
    response = post(api, text)
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    if field is not None:
        assert [error["pointer"] for error in response.get_json()["errors"]] == [field]
    assert count_stored(scalar) == (0, 0)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"]
)
def test_content_type_other_than_json_is_refused(api: FlaskClient, scalar: Scalar, content_type: str) -> None:
    assert post(api, order_json(), content_type).status_code == 415
    assert count_stored(scalar) == (0, 0)


def test_json_content_type_with_a_charset_is_accepted(api: FlaskClient) -> None:
    assert post(api, order_json(), "application/json; charset=utf-8").status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:5002"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_order_from_a_foreign_origin_is_refused(
    api: FlaskClient, scalar: Scalar, headers: dict[str, str]
) -> None:
    assert api.post("/orders", json=ORDER, headers=headers).status_code == 403
    assert count_stored(scalar) == (0, 0)


def test_order_from_our_own_origin_is_accepted(api: FlaskClient) -> None:
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert api.post("/orders", json=ORDER, headers=headers).status_code == 201


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost@evil", "[::2]", "a b"])
def test_untrusted_host_is_refused(api: FlaskClient, host: str) -> None:
    response = api.get("/orders", headers={"Host": host})
    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize("host", ["localhost:5001", "127.0.0.1", "LOCALHOST", "[::1]:5001"])
def test_trusted_host_is_accepted(api: FlaskClient, host: str) -> None:
    assert api.get("/orders", headers={"Host": host}).status_code == 200


def test_order_list_is_newest_first_and_pages_to_its_end(api: FlaskClient) -> None:
    ids = [place(api, item=f"item {number}").get_json()["id"] for number in range(7)]
    seen, cursor = [], ""
    for size in (3, 3, 1):
        page = api.get(f"/orders?limit=3{cursor}").get_json()
        assert len(page["orders"]) == size
        seen += [order["id"] for order in page["orders"]]
        cursor = f"&after={page['next']}"
    assert page["next"] is None
    assert seen == ids[::-1]


def test_order_list_can_be_filtered_by_status(api: FlaskClient) -> None:
    place(api)
    assert len(api.get(f"/orders?status={Status.PLACED}").get_json()["orders"]) == 1
    assert api.get(f"/orders?status={Status.SHIPPED}").get_json() == {"orders": [], "next": None}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=201", 422),
        ("limit=x", 422),
        ("limit=٣", 422),
        ("limit=", 422),
        ("status=lost", 422),
        ("after=x", 400),
        ("after=", 400),
        ("after=!!!!", 400),
    ],
)
def test_invalid_query_parameter_is_named(api: FlaskClient, query: str, status: int) -> None:
    response = api.get(f"/orders?{query}")
    assert response.status_code == status
    assert response.get_json()["errors"][0]["pointer"] == "/" + query.split("=")[0]


def test_random_orders_are_placed(api: FlaskClient, scalar: Scalar) -> None:
    response = api.post("/orders/random", json={"count": 50})
    assert (response.status_code, response.get_json()) == (201, {"count": 50})
    assert count_stored(scalar) == (50, 50)
    assert scalar("SELECT count(DISTINCT customer_name) > 20 FROM orders")


@pytest.mark.parametrize("count", [0, 1001, "5", 1.5])
def test_invalid_count_of_random_orders_is_refused(api: FlaskClient, scalar: Scalar, count: Any) -> None:
    response = api.post("/orders/random", json={"count": count})
    assert response.status_code == 422
    assert response.get_json()["errors"][0]["pointer"] == "/count"
    assert count_stored(scalar) == (0, 0)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/orders/01939b1e-6b1c-7c3a-8b1e-0123456789ab", 404),
        ("GET", "/orders/nonsense", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/orders", 405),
    ],
)
def test_errors_are_problem_documents(api: FlaskClient, method: str, path: str, status: int) -> None:
    response = api.open(path, method=method)
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.get_json()["status"] == status


def test_checkout_page_loads_only_our_own_files(api: FlaskClient) -> None:
    page = api.get("/")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert " style=" not in page.text
    assert " onclick=" not in page.text


def test_health_is_ready_while_the_database_answers(api: FlaskClient) -> None:
    response = api.get("/health/ready")
    assert response.status_code == 200
    assert response.get_json()["checks"]["database"] == {"status": "ok"}
