import pytest

from tests.unit.consumer.fanout.stream_text import blocks
from tests.unit.consumer.web.harness import WebHarness

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.mark.parametrize(
    ("path", "status", "caching"),
    [
        ("/", 200, "no-store"),  # it bears a position
        ("/events", 200, "no-store"),
        ("/events?limit=0", 400, "no-store"),
        ("/nowhere", 404, "no-store"),
        ("/health/ready", 200, "no-store"),
        ("/stream?from=x", 200, "no-store"),
        ("/static/dashboard.js", 200, "no-cache"),
    ],
)
def test_response_is_guarded_and_not_kept(web: WebHarness, path: str, status: int, caching: str) -> None:
    web.read_topic()
    with web.client.get(path, buffered=False) as response:
        assert response.status_code == status
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert response.headers["Cache-Control"] == caching


def test_stream_that_refuses_is_guarded_and_not_kept(web: WebHarness) -> None:
    response = web.client.get("/stream")
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://evil-localhost"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost@evil.example"},
        {"Origin": "http://localhost:5001"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_foreign_origin_may_not_send_a_test_event(web: WebHarness, headers: dict[str, str]) -> None:
    web.read_topic()
    assert web.client.post("/test-event", headers=headers).status_code == 403
    assert web.publisher.sent == 0


@pytest.mark.parametrize(
    "host",
    [
        "localhost.evil.com",
        "evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "evil.localhost",
        "evillocalhost",
        "localhost.",
        "local",
        "localhost:80:80",
        "localhost@evil.example",
        "[::1]evil.example",
        "[::2]",
        "::1",
        "",
    ],
)
def test_untrusted_host_is_refused(web: WebHarness, host: str) -> None:
    response = web.client.get("/", headers={"Host": host})
    assert (response.status_code, response.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize("host", ["localhost:5002", "127.0.0.1:5002", "[::1]:5002", "LOCALHOST:80"])
def test_trusted_host_is_served(web: WebHarness, host: str) -> None:
    assert web.client.get("/health/live", headers={"Host": host}).status_code == 200


def test_stream_of_an_untrusted_host_is_busy_and_not_an_error(web: WebHarness) -> None:
    """A 400 would end a browser's EventSource for good."""
    web.read_topic()
    response = web.client.get("/stream", headers={"Host": "evil.example"})
    assert (response.status_code, response.mimetype) == (200, "text/event-stream")
    (block,) = blocks(response.data)
    assert (block.event, block.json) == ("busy", {"reason": "host"})
