"""Read-only, for known hosts only, and whatever is asked, it is no server error."""

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.kafka_ui.web.harness import WebHarness

PATHS = ("/", "/topics", "/topics/orders", "/topics/orders/messages", "/groups", "/health/ready", "/nowhere")
AWKWARD = st.sampled_from(
    ["\xff", "%ff", "9" * 5000, "0:" + "9" * 18, "-1", "%D9%A3", "%00", "0:1,0:2", "1:0", "9999-12-31"]
)
ANY = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0&#"), max_size=40) | AWKWARD


HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.mark.parametrize(
    ("path", "status", "caching"),
    [
        *((path, 200, "no-store") for path in ("/", "/topics", "/topics/orders", "/topics/orders/messages")),
        ("/groups", 200, "no-store"),
        ("/topics/orders/tail", 200, "no-store"),
        ("/topics/orders/messages?partition=x", 400, "no-store"),
        ("/nowhere", 404, "no-store"),
        ("/static/refresh.js", 200, "no-cache"),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_response_is_guarded_and_not_kept(
    web: WebHarness, path: str, status: int, caching: str, accept: str
) -> None:
    with closing(web.client.get(path, headers={"Accept": accept}, buffered=False)) as response:
        assert response.status_code == status
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert response.headers["Cache-Control"] == caching
        assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_nothing_can_be_written(web: WebHarness, method: str) -> None:
    for path in PATHS:
        assert web.client.open(path, method=method).status_code == 405, path


def test_every_route_only_reads(web: WebHarness) -> None:
    for rule in web.client.application.url_map.iter_rules():
        assert rule.methods is not None
        assert rule.methods <= {"GET", "HEAD", "OPTIONS"}, rule


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
        "localhost:port",
        "localhost@evil.example",
        "[::1]evil.example",
        "[::2]",
        "::1",
        "",
    ],
)
def test_untrusted_host_is_refused(web: WebHarness, host: str) -> None:
    response = web.client.get("/", headers={"Host": host, "Accept": "text/html"})
    assert (response.status_code, response.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST"])
def test_trusted_host_is_served(web: WebHarness, host: str) -> None:
    assert web.client.get("/health/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_pages_have_no_inline_script_or_style(web: WebHarness, path: str) -> None:
    page = web.client.get(path).text
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="module" src=')


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([*PATHS, "/topics/orders/tail", "/ui/clusters/c/all-topics/orders/messages"]),
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST"]),
    name=st.sampled_from(["partition", "offset", "time", "key", "event", "before", "after", "limit"]),
    value=ANY,
    headers=st.dictionaries(st.sampled_from(["Host", "Last-Event-ID", "Accept", "Cookie"]), ANY, max_size=2),
)
def test_hostile_request_is_no_server_error(
    web: WebHarness, path: str, method: str, name: str, value: str, headers: dict[str, str]
) -> None:
    environ = {
        "QUERY_STRING": f"{name}={value}",
        **{f"HTTP_{header.upper().replace('-', '_')}": text for header, text in headers.items()},
    }
    with closing(web.client.open(path, method=method, environ_overrides=environ, buffered=False)) as response:
        assert response.status_code < 500
