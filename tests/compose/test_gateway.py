"""The gateway, nginx: its own responses, and its options for a network that others use too."""

import base64
import hashlib
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from local_stack.services import CONSUMER
from tests.compose.stack import GATEWAY, ComposeStack
from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.shop import ORDER, Shop


@contextmanager
def gateway_with(project: ComposeStack, **settings: str) -> Iterator[None]:
    """Replace the gateway by one with these settings inside the block."""
    before = dict(project.settings)
    project.settings |= settings
    try:
        project.compose("up", "--detach", "--wait", "--no-deps", GATEWAY)
        yield
    finally:
        project.settings = before
        project.compose("up", "--detach", "--wait", "--no-deps", GATEWAY)


def test_gateway_refuses_a_large_body_with_a_problem_document(shop: Shop) -> None:
    response = requests.post(shop.url + "/orders", data=b" " * (2 << 20), timeout=10)
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == 413


def test_gateway_refuses_large_headers_with_a_problem_document(shop: Shop) -> None:
    response = requests.get(shop.url, headers={"X-Long": "x" * 70_000}, timeout=10)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"


def test_gateway_refuses_malformed_http_with_a_problem_document(shop: Shop) -> None:
    address = urlsplit(shop.url)
    with socket.create_connection((str(address.hostname), address.port or 80), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
        response = client.makefile("rb").read()
    assert response.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in response


def test_gateway_passes_on_the_errors_of_the_services(shop: Shop) -> None:
    response = requests.post(shop.url + "/orders", json={"customer_name": "Ada"}, timeout=10)
    assert response.status_code == 422
    assert response.json()["errors"]
    foreign = requests.get(shop.url, headers={"Host": "evil.example"}, timeout=10)
    assert foreign.status_code == 400


def test_gateway_does_not_reveal_its_version(shop: Shop) -> None:
    assert requests.get(shop.url, timeout=10).headers["Server"] == "nginx"


def test_gateway_does_not_buffer_events(project: ComposeStack, shop: Shop) -> None:
    with Viewer(project.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        for _ in range(5):
            order_id = shop.place()
            eventually(partial(viewer.has_seen, [order_id]), within=2, every=0.01)


def test_gateway_answers_a_failed_stream_request_with_200_and_busy(project: ComposeStack) -> None:
    url = project.env["CONSUMER_URL"] + "/stream"
    assert_busy(requests.post(url, timeout=10))
    foreign = requests.get(
        url, headers={"Host": "evil.example"}, timeout=10
    )  # the consumer's own answer passes
    assert foreign.status_code == 200
    assert "event: busy" in foreign.text
    project.run("stop", CONSUMER)
    try:
        (reason,) = eventually(lambda: name_errors(project, url), within=20)
        assert reason == "2: Server failure"  # at once; not "110: Operation timed out"
    finally:
        project.run("start", CONSUMER)


def name_errors(project: ComposeStack, url: str) -> set[str]:
    """Return why the consumer's name was not resolved, from the gateway's log; empty while its address is cached."""
    assert_busy(requests.get(url, timeout=15))
    log = project.compose("logs", "--no-log-prefix", GATEWAY)
    return set(re.findall(r"consumer could not be resolved \((.*?)\)", log))


def assert_busy(response: requests.Response) -> None:
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    retry, block = response.text.split("\n\n", 1)
    assert 1000 <= int(retry.removeprefix("retry: ")) <= 10_000
    assert block == 'event: busy\ndata: {"reason":"gateway"}\n\n'


def test_gateway_limits_requests_and_streams_of_one_address(project: ComposeStack, shop: Shop) -> None:
    with gateway_with(project, REQUESTS_PER_SECOND="1", REQUESTS_BURST="5", STREAMS_PER_ADDRESS="2"):
        url = project.env["CONSUMER_URL"] + "/stream"
        with Viewer(url) as first, Viewer(url) as second:
            eventually(lambda: first.is_live() and second.is_live())
            assert_busy(requests.get(url, timeout=10))
        responses = [requests.get(shop.url + "/health/live", timeout=10) for _ in range(20)]
        (refused, *_) = [response for response in responses if response.status_code == 429]
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) > 0
        assert_busy(requests.get(url, timeout=10))


@pytest.fixture
def gateway_secrets(tmp_path: Path) -> Path:
    """A folder with a self-signed certificate and a password file."""
    tmp_path.chmod(0o755)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt")],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    salt = os.urandom(8)
    digest = base64.b64encode(hashlib.sha1(b"a password" + salt).digest() + salt).decode()
    (tmp_path / "htpasswd").write_text(f"ada:{{SSHA}}{digest}\n")
    for path in tmp_path.iterdir():
        path.chmod(0o644)  # nginx reads them as its own user
    return tmp_path


def test_gateway_with_tls_and_a_password_serves_other_machines(
    project: ComposeStack, gateway_secrets: Path
) -> None:
    with gateway_with(project, BIND_ADDRESS="0.0.0.0", GATEWAY_SECRETS=str(gateway_secrets)):
        shop = f"https://localhost:{project.ports['PRODUCER_PORT']}"
        live = f"https://localhost:{project.ports['CONSUMER_PORT']}"
        session = requests.Session()
        session.trust_env = False
        session.verify = str(gateway_secrets / "tls.crt")
        refused = session.get(shop + "/orders", timeout=10)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic")
        assert refused.headers["Content-Type"] == "application/problem+json"
        session.auth = ("ada", "wrong")
        assert session.get(shop + "/orders", timeout=10).status_code == 401
        session.auth = ("ada", "a password")
        placed = session.post(shop + "/orders", json=ORDER, headers={"Origin": shop}, timeout=10)
        assert placed.status_code == 201
        assert protocol_of(project.ports["CONSUMER_PORT"], gateway_secrets / "tls.crt") == "h2"
        with session.get(live + "/stream", stream=True, timeout=10) as stream:
            assert stream.status_code == 200
            assert next(stream.iter_lines()).startswith(b"retry:")
        plain = requests.get(shop.replace("https", "http"), timeout=10)
        assert plain.status_code == 400
        assert plain.headers["Content-Type"] == "application/problem+json"


def protocol_of(port: str, certificate: Path) -> str | None:
    """Return what the gateway chooses when it is offered HTTP/2 and HTTP/1.1."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as encrypted,
    ):
        return encrypted.selected_alpn_protocol()


@pytest.mark.parametrize("missing", ["everything", "tls.crt", "htpasswd"])
def test_gateway_without_tls_or_a_password_refuses_other_machines(
    project: ComposeStack, gateway_secrets: Path, missing: str
) -> None:
    for path in list(gateway_secrets.iterdir()):
        if missing in ("everything", path.name):
            path.unlink()
    done = project.try_compose(
        "run", "--rm", "--no-deps", GATEWAY, BIND_ADDRESS="0.0.0.0", GATEWAY_SECRETS=str(gateway_secrets)
    )
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert ("TLS needs both" if missing == "tls.crt" else "BIND_ADDRESS=0.0.0.0") in line
