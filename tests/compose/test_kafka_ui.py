"""Kafka UI behind the gateway: no website may read through it what is in Kafka (D1)."""

from collections.abc import Iterator

import pytest
import requests

from local_stack.services import KAFKA_UI
from tests.compose.stack import ComposeStack, docker
from tests.eventually import eventually

# In Kafka UI's place: it lets any website read its answers, as Kafka UI does and the tests' stand-in for it may not.
REFLECTS = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Reflecting(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Access-Control-Expose-Headers", "*")
        self.send_header("X-Answered-By", "reflecting")
        self.end_headers()

HTTPServer(("", 8080), Reflecting).serve_forever()
"""


@pytest.fixture
def url(project: ComposeStack) -> str:
    return f"http://127.0.0.1:{project.ports['KAFKA_UI_PORT']}"


def get(url: str, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(url, headers=named, timeout=10)


def test_kafka_ui_opens_in_a_browser_on_this_machine(url: str, project: ComposeStack) -> None:
    assert get(url, Sec_Fetch_Site="none", Sec_Fetch_Dest="document").status_code == 200
    port = project.ports["KAFKA_UI_PORT"]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "LOCALHOST"):
        assert get(url, Host=host).status_code == 200, host
    clusters = get(f"{url}/api/clusters", Origin=url, Sec_Fetch_Site="same-origin", Sec_Fetch_Dest="empty")
    assert clusters.status_code == 200
    linked = get(url, Sec_Fetch_Site="cross-site", Sec_Fetch_Dest="document")
    assert linked.status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "xlocalhost", "127.0.0.1.nip.io"])
def test_kafka_ui_refuses_foreign_host_names(url: str, host: str) -> None:
    response = get(f"{url}/api/clusters", Host=host)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "TRUSTED_HOSTS" in response.json()["detail"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:5001", "http://localhost"]
)
def test_kafka_ui_refuses_foreign_origins(url: str, origin: str) -> None:
    response = get(f"{url}/api/clusters", Origin=origin)
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"
    preflight = requests.options(
        f"{url}/api/clusters",
        headers={"Origin": origin, "Access-Control-Request-Method": "PUT"},
        timeout=10,
    )
    assert preflight.status_code == 403
    assert not [name for name in preflight.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("site", "destination"),
    [("cross-site", "empty"), ("cross-site", "script"), ("cross-site", "iframe"), ("same-site", "empty")],
)
def test_kafka_ui_refuses_what_other_sites_load(url: str, site: str, destination: str) -> None:
    response = get(f"{url}/api/clusters", Sec_Fetch_Site=site, Sec_Fetch_Dest=destination)
    assert response.status_code == 403


@pytest.fixture
def reflecting(project: ComposeStack) -> Iterator[None]:
    """A server that permits everything to everybody, in Kafka UI's place."""
    project.run("stop", KAFKA_UI)
    name = project.settings["COMPOSE_PROJECT_NAME"]
    container = docker(
        "run", "--rm", "--detach", "--network", f"{name}_ui", "--network-alias", KAFKA_UI,
        "python:3.13-slim", "python", "-c", REFLECTS,
    ).strip()  # fmt: skip
    try:
        yield
    finally:
        docker("rm", "--force", container)
        project.run("start", KAFKA_UI)


@pytest.mark.usefixtures("reflecting")
def test_gateway_takes_away_what_permits_other_sites_to_read(url: str) -> None:
    response = eventually(lambda: answered(get(url, Origin=url)), within=20)
    assert not [name for name in response.headers if name.lower().startswith("access-control")]
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def answered(response: requests.Response) -> requests.Response:
    assert response.headers.get("X-Answered-By") == "reflecting", response.status_code
    return response
