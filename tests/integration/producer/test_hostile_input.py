"""Whatever a request contains, it never ends in a 5xx, and every error is a problem document."""

import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import run_wsgi_app

ORDER: dict[str, Any] = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
FIELDS = [*ORDER, "description", "orders", "count", "status"]
ID = "01939b1e-6b1c-7c3a-8b1e-0123456789ab"
PATHS = ["/orders", "/orders/batch", "/orders/random", f"/orders/{ID}", "/health/ready", "/openapi.json"]
HEADERS = [
    "Accept",
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Cookie",
    "Expect",
    "Forwarded",
    "Host",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "Origin",
    "Range",
    "Sec-Fetch-Site",
    "Transfer-Encoding",
    "X-Forwarded-Host",
]

# JSON as text, so that it may say what no Python value can: numbers of any size, a name twice.
strings = st.text(st.characters(), max_size=12).map(json.dumps)
names = st.one_of(st.sampled_from([json.dumps(name) for name in FIELDS]), strings)
numbers = st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,25})?", fullmatch=True)
scalars = st.one_of(strings, numbers, st.sampled_from(["true", "null", "NaN", "-Infinity", "9" * 5000]))


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(names, values).map(":".join), max_size=6)
    return pairs.map(lambda given: "{" + ",".join(given) + "}")


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda given: "[" + ",".join(given) + "]")


documents = st.recursive(scalars, lambda values: st.one_of(objects(values), arrays(values)), max_leaves=12)
changed_orders = st.tuples(st.sampled_from(FIELDS), scalars).map(
    lambda change: json.dumps(ORDER)[:-1] + f', "{change[0]}": {change[1]}}}'
)
one_field_wrong = st.tuples(st.sampled_from(sorted(ORDER)), scalars).map(
    lambda change: json.dumps({**ORDER, change[0]: "?"}).replace('"?"', change[1])
)
bodies = st.one_of(
    st.binary(max_size=40),
    st.one_of(documents, objects(scalars), changed_orders, one_field_wrong).map(str.encode),
)
latin1 = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=30)
headers = st.dictionaries(
    st.sampled_from(HEADERS),
    st.one_of(
        latin1,
        st.sampled_from(
            [
                "http://[",
                "http://[::1",
                "[",
                "bytes=9-1",
                "bytes=0-",
                "chunked",
                '"1"',
                'W/"1"',
                "localhost:99999",
            ]
        ),
    ),
    max_size=3,
)
paths = st.one_of(
    st.sampled_from(PATHS),
    st.tuples(st.sampled_from(["/", "/orders/", "/static/", "/health/"]), latin1).map("".join),
)
queries = st.one_of(
    latin1,
    st.tuples(st.sampled_from(["limit=", "after=", "status=", "limit=1&after="]), latin1).map("".join),
)


class Response:
    """What a WSGI application answered."""

    def __init__(self, answer: tuple[Iterable[bytes], str, Any]):
        chunks, status, self.headers = answer
        self.body, self.status = b"".join(chunks), int(status.split()[0])
        if hasattr(chunks, "close"):
            chunks.close()


def request(
    app: Flask,
    method: str = "POST",
    path: str = "/orders",
    query: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """Send a request as a server would hand it over: a test client refuses to send most of these."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key] = value
    return Response(run_wsgi_app(app, environ))


def hold(response: Response, method: str = "POST") -> None:
    assert response.status < 500
    if response.status >= 400:
        assert response.headers["Content-Type"] == "application/problem+json"
        if method != "HEAD":  # whose responses have no body
            problem = json.loads(response.body)
            assert problem["status"] == response.status
            assert problem["detail"]


fuzzing = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fuzzing
@given(path=st.sampled_from(PATHS), method=st.sampled_from(["POST", "PATCH"]), body=bodies)
@example(path="/orders", method="POST", body=b'{"quantity":1e999999999999999999999}')
@example(path="/orders", method="POST", body=b'{"\\ud800":1,"\\ud800":2}')
@example(path="/orders", method="POST", body=b'{"\\ud800":1}')
@example(path="/orders/batch", method="POST", body=b'{"orders":[{"\\udfff":1}]}')
@example(path=f"/orders/{ID}", method="PATCH", body=b'{"status":"\\ud800"}')
def test_no_body_ends_in_500(app: Flask, path: str, method: str, body: bytes) -> None:
    hold(request(app, method, path, body=body))


@fuzzing
@given(
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE", "TRACE", "BREW"]),
    path=paths,
    query=queries,
    headers=headers,
)
@example(method="POST", path="/orders", query="", headers={"Origin": "http://["})
@example(method="POST", path="/orders", query="", headers={"Origin": "http://[foo]/"})
@example(method="GET", path="/orders", query="after=\xff%ff", headers={})
@example(method="GET", path="/static/\0", query="", headers={})
@example(method="GET", path="//orders", query="", headers={})
def test_no_header_path_or_query_ends_in_500(
    app: Flask, method: str, path: str, query: str, headers: dict[str, str]
) -> None:
    hold(request(app, method, path, query, headers, json.dumps(ORDER).encode()), method)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://[foo]/", "//["])
def test_unreadable_origin_is_foreign(api: FlaskClient, origin: str) -> None:
    assert api.post("/orders", json=ORDER, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("length", ["", "-1", "x", "99999999999999999999999"])
def test_wrong_content_length_is_no_500(app: Flask, length: str) -> None:
    hold(request(app, headers={"Content-Length": length}, body=b"{}"))
