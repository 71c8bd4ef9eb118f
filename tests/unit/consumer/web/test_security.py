import pytest

from tests.unit.consumer.fanout.stream_text import blocks
from tests.unit.consumer.web.harness import WebHarness


def test_every_page_and_error_has_security_headers(web: WebHarness) -> None:
    for path in ("/", "/events", "/nowhere", "/static/dashboard.js", "/health/ready", "/stream"):
        with web.client.get(path) as response:
            headers = response.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
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


@pytest.mark.parametrize("host", ["localhost.evil.com", "evil.example", "127.0.0.1.evil.example"])
def test_untrusted_host_is_refused(web: WebHarness, host: str) -> None:
    response = web.client.get("/", headers={"Host": host})
    assert (response.status_code, response.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize("host", ["localhost:5002", "127.0.0.1:5002", "[::1]:5002"])
def test_trusted_host_is_served(web: WebHarness, host: str) -> None:
    assert web.client.get("/health/live", headers={"Host": host}).status_code == 200


def test_stream_of_an_untrusted_host_is_busy_and_not_an_error(web: WebHarness) -> None:
    """A 400 would end a browser's EventSource for good."""
    web.read_topic()
    response = web.client.get("/stream", headers={"Host": "evil.example"})
    assert (response.status_code, response.mimetype) == (200, "text/event-stream")
    (block,) = blocks(response.data)
    assert (block.event, block.json) == ("busy", {"reason": "host"})
