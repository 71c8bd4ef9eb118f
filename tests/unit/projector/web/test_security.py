import pytest

from tests.unit.projector.web.harness import WebHarness

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.mark.parametrize(
    ("path", "status", "caching"),
    [
        ("/stats", 200, "no-cache"),
        ("/stats/items?limit=0", 400, "no-store"),
        ("/nowhere", 404, "no-store"),
        ("/health/ready", 200, "no-store"),
        ("/openapi.json", 200, "no-store"),
    ],
)
def test_response_is_guarded(web: WebHarness, path: str, status: int, caching: str) -> None:
    response = web.client.get(path)
    assert response.status_code == status
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert response.headers["Cache-Control"] == caching


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5003", "127.0.0.1:5003", "[::1]:5003"])
def test_own_host_is_trusted(web: WebHarness, host: str) -> None:
    assert web.client.get("/stats", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil-localhost", "localhost@evil.example", "", "[::2]"],
)
def test_foreign_host_is_refused(web: WebHarness, host: str) -> None:
    response = web.client.get("/stats", headers={"Host": host})
    assert (response.status_code, response.mimetype) == (400, "application/problem+json")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(web: WebHarness, method: str) -> None:
    response = getattr(web.client, method)("/stats", headers={"Origin": "http://evil.example"})
    assert (response.status_code, response.mimetype) == (405, "application/problem+json")
    assert "GET" in response.headers["Allow"]


def test_unexpected_error_tells_nothing(web: WebHarness) -> None:
    web.queries.by_status = None  # type: ignore[assignment]
    response = web.client.get("/stats")
    assert response.status_code == 500
    assert "server log" in response.get_json()["detail"]
