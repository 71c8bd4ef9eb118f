"""What guards every response, as a client gets it: from the services natively, through the gateway in containers."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.shop import ORDER
from tests.stack import Stack

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
    "base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
)
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SHOP, DASHBOARD = "PRODUCER_URL", "CONSUMER_URL"
JSON = {"Content-Type": "application/json"}
FOREIGN_HOSTS = ["evil.example", "evil-localhost", "localhost.evil.example", "localhost.", "127.0.0.1.nip.io"]


@dataclass(frozen=True)
class Answer:
    """A response. start: the first bytes of its body."""

    status: int
    headers: http.client.HTTPMessage
    start: bytes


def ask(
    stack: Stack,
    service: str,
    path: str,
    method: str = "GET",
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request whose headers are these, and Host; a stream is left after its first bytes."""
    address = urlsplit(stack.env[service])
    connection = http.client.HTTPConnection(str(address.hostname), address.port or 80, timeout=20)
    connection.request(method, path, None if body is None else json.dumps(body), dict(headers or {}))
    with closing(connection), connection.getresponse() as response:
        return Answer(response.status, response.headers, response.read1(4096))


@pytest.mark.parametrize(
    ("service", "path", "status", "caching"),
    [
        (SHOP, "/", 200, "no-store"),
        (SHOP, "/docs", 200, "no-store"),
        (SHOP, "/orders", 200, "no-store"),
        (SHOP, "/orders/none", 404, "no-store"),
        (SHOP, "/health/ready", 200, "no-store"),
        (SHOP, "/static/checkout.js", 200, "no-cache"),
        (DASHBOARD, "/", 200, "no-store"),
        (DASHBOARD, "/events", 200, "no-store"),
        (DASHBOARD, "/stream", 200, "no-store"),
        (DASHBOARD, "/nowhere", 404, "no-store"),
        (DASHBOARD, "/health/ready", 200, "no-store"),
        (DASHBOARD, "/static/dashboard.js", 200, "no-cache"),
    ],
)
def test_response_is_guarded_and_not_kept(
    running_stack: Stack, service: str, path: str, status: int, caching: str
) -> None:
    response = ask(running_stack, service, path)
    policy = POLICY.format(
        images="'self' data:" if path == "/docs" else "'self'",
        forms="'self'" if service == SHOP else "'none'",
    )
    assert response.status == status
    guards = {"Content-Security-Policy": policy, **ALWAYS, "Cache-Control": caching}
    assert {name: response.headers[name] for name in guards} == guards
    assert not [name for name in response.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("body", [ORDER, ORDER | {"quantity": 0}])
def test_answer_to_an_order_is_guarded_and_not_kept(running_stack: Stack, body: object) -> None:
    response = ask(running_stack, SHOP, "/orders", "POST", body, JSON)
    assert response.status == (201 if body == ORDER else 422)
    guards = ALWAYS | {"Cache-Control": "no-store"}
    assert {name: response.headers[name] for name in guards} == guards


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_name_that_was_pointed_here_is_refused(running_stack: Stack, host: str) -> None:
    """Against DNS rebinding, whichever path the request takes through the service."""
    headers = {"Host": host}
    assert ask(running_stack, SHOP, "/", headers=headers).status == 400
    assert ask(running_stack, SHOP, "/orders", "POST", ORDER, headers | JSON).status == 400
    assert ask(running_stack, DASHBOARD, "/", headers=headers).status == 400
    assert ask(running_stack, DASHBOARD, "/events", headers=headers).status == 400
    assert b"event: busy" in ask(running_stack, DASHBOARD, "/stream", headers=headers).start


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_page_of_another_site_may_not_write(running_stack: Stack, headers: dict[str, str]) -> None:
    assert ask(running_stack, SHOP, "/orders", "POST", ORDER, headers | JSON).status == 403
    assert ask(running_stack, SHOP, "/orders/random", "POST", {"count": 1}, headers | JSON).status == 403
    assert ask(running_stack, DASHBOARD, "/test-event", "POST", headers=headers).status == 403


def test_pages_of_one_service_may_not_write_to_the_other(running_stack: Stack) -> None:
    """They are of one site to a browser, and differ by their port only."""
    foreign = {"Origin": running_stack.env[DASHBOARD], "Sec-Fetch-Site": "same-site"}
    assert ask(running_stack, SHOP, "/orders", "POST", ORDER, foreign | JSON).status == 403
    foreign = {"Origin": running_stack.env[SHOP], "Sec-Fetch-Site": "same-site"}
    assert ask(running_stack, DASHBOARD, "/test-event", "POST", headers=foreign).status == 403


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_names_of_this_machine_are_served(running_stack: Stack, name: str) -> None:
    for service in (SHOP, DASHBOARD):
        host = f"{name}:{urlsplit(running_stack.env[service]).port}"
        assert ask(running_stack, service, "/", headers={"Host": host}).status == 200
