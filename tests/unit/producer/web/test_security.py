"""Who may send requests, and what browsers are told about the responses."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from producer import create_app
from producer.config import Settings
from producer.services import EXTENSION

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    """The application without its stores: what is tested here needs none."""
    app = create_app(
        Settings(
            database_url="postgresql://u:p@127.0.0.1:1/d",
            kafka_bootstrap_servers="127.0.0.1:1",
            trusted_hosts="shop.example, localhost, [::1]",
        )
    )
    yield app.test_client()
    app.extensions[EXTENSION].stop()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil-shop.example",
        "evil.shop.example",
        "shop.example.evil.example",
        "shop.example.",
        "example",
        "shop",
        "shop.example:80:80",
        "shop.example@evil.example",
        "[::1]evil.example",
        "[::2]",
        "::1",
        "",
    ],
)
def test_host_that_only_resembles_a_trusted_one_is_refused(client: FlaskClient, host: str) -> None:
    assert client.get("/health/live", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["shop.example", "SHOP.example:5001", "localhost", "[::1]", "[::1]:5001"])
def test_trusted_host_is_answered(client: FlaskClient, host: str) -> None:
    assert client.get("/health/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost.evil.example",
        "http://evil-localhost",
        "http://localhost:5002",
        "http://localhost@evil.example",
        "null",
        "",
    ],
)
def test_origin_that_only_resembles_ours_may_not_write(client: FlaskClient, origin: str) -> None:
    response = client.post("/orders", json={}, headers={"Host": "localhost", "Origin": origin})
    assert response.status_code == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_link_from_another_site_may_be_followed(client: FlaskClient, method: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}
    response = client.open("/openapi.json", method=method, headers=headers)
    assert response.status_code == 200
    assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_method_that_writes_is_open_to_other_origins(client: FlaskClient, method: str) -> None:
    response = client.open("/orders", method=method, headers={"Origin": "http://evil.example"})
    assert response.status_code == 403


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-origin", 422), ("none", 422)])
def test_page_of_another_site_may_not_write(client: FlaskClient, site: str, status: int) -> None:
    response = client.post("/orders", json={}, headers={"Host": "localhost", "Sec-Fetch-Site": site})
    assert response.status_code == status


def test_our_own_origin_may_write(client: FlaskClient) -> None:
    response = client.post("/orders", json={}, headers={"Host": "localhost", "Origin": "http://localhost"})
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("path", "status", "images"),
    [
        ("/", 200, "'self'"),
        ("/docs", 200, "'self' data:"),
        ("/openapi.json", 200, "'self'"),
        ("/health/live", 200, "'self'"),
        ("/nowhere", 404, "'self'"),
    ],
)
def test_response_is_guarded_and_not_cached(client: FlaskClient, path: str, status: int, images: str) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert response.headers["Content-Security-Policy"] == POLICY.format(images=images)
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert response.headers["Cache-Control"] == "no-store"


def test_static_file_is_guarded_and_revalidated(client: FlaskClient) -> None:
    response = client.get("/static/pages.css")
    assert response.headers["Content-Security-Policy"] == POLICY.format(images="'self'")
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert response.headers["Cache-Control"] == "no-cache"
    response.close()
