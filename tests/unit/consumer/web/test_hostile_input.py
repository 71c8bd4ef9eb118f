"""No header, query or body ends in a 500, and /stream is 200 whatever it is asked."""

import json
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.services import EXTENSION
from tests.unit.consumer.web.harness import WebHarness

HEADERS = ("Host", "Origin", "Sec-Fetch-Site", "Last-Event-ID", "Content-Type", "Content-Length", "Accept")
# What a server may hand over in a header or a query: any byte, as Latin-1.
RAW = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
AWKWARD = st.sampled_from(
    [
        "\xff",
        "%ff",
        "http://[",
        "9" * 5000,
        "A" * 22 + ";0:" + "9" * 30,
        "-1",
        "1e9",
        "\u00b2",
        ";",
        "%00",
        "a=b&a=c",
    ]
)
ANY = RAW | AWKWARD


def status_of(web: WebHarness, method: str, path: str, query: str, headers: dict[str, str]) -> int:
    """Return the status of a request whose query and headers are these bytes, unescaped."""
    environ = {
        "QUERY_STRING": query,
        **{f"HTTP_{name.upper().replace('-', '_')}": v for name, v in headers.items()},
    }
    with closing(web.client.open(path, method=method, environ_overrides=environ)) as response:
        if response.status_code >= 400 and method != "HEAD":
            assert response.mimetype == "application/problem+json"
            assert json.loads(response.data)["status"] == response.status_code
        return response.status_code


@pytest.mark.parametrize("path", ["/", "/events", "/stream", "/health/ready", "/test-event", "/nowhere"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "DELETE"]),
    name=st.sampled_from(["limit", "before", "from", ""]),
    value=ANY,
    headers=st.dictionaries(st.sampled_from(HEADERS), ANY, max_size=3),
)
def test_hostile_request_is_no_server_error(
    web: WebHarness, path: str, method: str, name: str, value: str, headers: dict[str, str]
) -> None:
    if not web.services.ring.is_open:
        web.read_topic()
    assert EXTENSION in web.client.application.extensions
    assert status_of(web, method, path, f"{name}={value}", headers) < 500


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=ANY, headers=st.dictionaries(st.sampled_from(HEADERS), ANY, max_size=3))
def test_hostile_stream_request_is_200(web: WebHarness, start: str, headers: dict[str, str]) -> None:
    if not web.services.ring.is_open:
        web.read_topic()
    assert status_of(web, "GET", "/stream", f"from={start}", headers) == 200
