"""Plain orders are placed before Flask sees them, and nobody can tell by the answers."""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from producer.web import fast_path
from tests.integration.producer.conftest import Scalar
from tests.integration.producer.test_hostile_input import Response, request
from tests.shop import ORDER

NASTY = [
    '"', "\\", '\\"', "'", "{}", "a,b", "NULL", "null", '{"a":"\\\\x00"}', "%s %(x)s", "$1", "x" * 100,
    "Zoë Ж 漢字 🦀", "e\u0301", " trimmed ", "a\u2028b",
]  # fmt: skip
VARYING = re.compile(rb'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"(created|updated)_at":"[^"]*"')


def flask_alone(app: Flask) -> Any:
    """Return the application without the fast path."""
    return app.wsgi_app.otherwise  # type: ignore[attr-defined]


def plain(response: Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return what must be equal: status, headers in any order, body; without ids and times."""
    headers = sorted((name, VARYING.sub(b"", value.encode()).decode()) for name, value in response.headers)
    return response.status, headers, VARYING.sub(b"", response.body)


def body(**changes: Any) -> bytes:
    return json.dumps({**ORDER, **changes}, ensure_ascii=False).encode()


def assert_same(app: Flask, **given: Any) -> Response:
    """Send a request both ways; return the fast path's response."""
    fast, slow = request(app, **given), request(flask_alone(app), **given)
    assert plain(fast) == plain(slow)
    return fast


@pytest.fixture
def taken(app: Flask) -> Callable[..., bool]:
    """Return whether a request is answered without Flask."""

    def is_taken(**given: Any) -> bool:
        calls = []
        flask = flask_alone(app)

        def otherwise(*arguments: Any) -> Any:
            calls.append(arguments)
            return flask(*arguments)

        path: Any = app.wsgi_app
        path.otherwise = otherwise
        try:
            request(app, **given)
        finally:
            path.otherwise = flask
        return not calls

    return is_taken


@pytest.mark.parametrize("field", ["customer_name", "item", "description"])
@pytest.mark.parametrize("text", NASTY)
def test_text_gets_the_same_answer(app: Flask, field: str, text: str) -> None:
    assert assert_same(app, body=body(**{field: text})).status == 201


@pytest.mark.parametrize(
    "given",
    [
        {"body": b""},
        {"body": b"{"},
        {"body": b"[]"},
        {"body": b"null"},
        {"body": b'{"item":"\xff"}'},
        {"body": body(quantity=0)},
        {"body": body(quantity=True)},
        {"body": body(unit_price=32.0)},
        {"body": body(unit_price="0.00")},
        {"body": body(item="\u202e")},
        {"body": body(item="")},
        {"body": body(item="x" * 201)},
        {"body": body(colour="red")},
        {"body": body()[:-1] + b',"item":"twice"}'},
        {"body": b'{"quantity":1e999999999999999999999}'},
        {"body": b'{"\\ud800":1,"\\ud800":2}'},
        {"body": b'{"\\ud800":1}'},
        {"body": b'{"item":"\\udfff"}'},
        {"body": b"[" * 16_000},
        {"body": b"9" * 5000},
        {"body": b"x" * (2 << 20)},
        {"headers": {"Host": "evil.example"}},
        {"headers": {"Host": "localhost:99999"}},
        {"headers": {"Host": "LOCALHOST:5001"}},
        {"headers": {"Host": "localhost."}},
        {"headers": {"Host": ""}},
        {"headers": {"Origin": "http://["}},
        {"headers": {"Origin": "http://evil.example"}},
        {"headers": {"Origin": "http://localhost"}},
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Content-Type": "text/plain"}},
        {"headers": {"Content-Type": ""}},
        {"headers": {"Content-Type": "Application/JSON; charset=latin-1"}},
        {"headers": {"Content-Encoding": "gzip"}},
        {"headers": {"Idempotency-Key": ""}},
        {"headers": {"Idempotency-Key": 'half"'}},
        {"headers": {"Idempotency-Key": "x" * 256}},
        {"headers": {"Content-Length": ""}},
        {"headers": {"Content-Length": "-1"}},
        {"headers": {"Content-Length": "+5"}},
        {"headers": {"Content-Length": "x"}},
        {"headers": {"Content-Length": "٣"}},
        {"headers": {"Content-Length": "99999999999999999999999"}},
        {"query": "x=1"},
        {"path": "/orders/"},
        {"path": "//orders"},
        {"path": "/Orders"},
        {"method": "PUT"},
        {"method": "post"},
    ],
    ids=repr,
)
def test_request_gets_the_same_answer(app: Flask, given: dict[str, Any]) -> None:
    assert_same(app, **{"body": body(), **given})


def test_repetition_is_answered_as_before_whichever_way_it_takes(app: Flask, scalar: Scalar) -> None:
    ways = [app, flask_alone(app)]
    for number, (first, second) in enumerate([(0, 1), (1, 0), (0, 0)]):
        given: dict[str, Any] = {"headers": {"Idempotency-Key": f"k{number}"}, "body": body(item='a "b"')}
        one, two = request(ways[first], **given), request(ways[second], **given)
        assert (one.status, one.body, sorted(one.headers)) == (201, two.body, sorted(two.headers))
        other = given | {"body": body(quantity=9)}
        assert plain(request(ways[second], **other)) == plain(request(ways[first], **other))
        assert request(ways[second], **other).status == 422
    assert scalar("SELECT count(*) FROM orders") == 3


def test_plain_order_is_taken(taken: Callable[..., bool], scalar: Scalar) -> None:
    assert taken(body=body())
    assert taken(body=body(), query="x", headers={"Idempotency-Key": "k", "Host": "localhost:5001"})
    assert scalar("SELECT count(*) FROM orders") == 2


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"Origin": "http://localhost"}},
        {"headers": {"Sec-Fetch-Site": "same-origin"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"Content-Type": "application/json; charset=utf-8"}},
        {"headers": {"Host": "evil.example"}},
        {"method": "PUT"},
        {"path": "/orders/batch"},
        {"body": body() + b" " * fast_path.MAX_BYTES},
        {"body": body(quantity=0)},
    ],
    ids=repr,
)
def test_unusual_order_is_left_to_flask(taken: Callable[..., bool], given: dict[str, Any]) -> None:
    assert not taken(**{"body": body(), **given})


@pytest.mark.parametrize("error", [RuntimeError("unforeseen"), MemoryError(), KeyError("x")])
def test_error_is_flasks_to_answer(
    app: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(fast_path, "Order", SimpleNamespace(place=fail))
    response = request(app, body=body())
    assert response.status == 500
    assert json.loads(response.body)["status"] == 500
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]
