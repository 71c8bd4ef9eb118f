"""The whole system, started once; the tests talk to it through HTTP and SSE only."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from tests.conftest import Stack
from tests.e2e.viewer import Viewer
from tests.eventually import eventually

ORDER = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
TIMEOUT_S = 15


class Shop:
    """The producer's REST interface."""

    def __init__(self, url: str):
        self.url = url

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=TIMEOUT_S)

    def place(self, **changes: Any) -> str:
        """The id of an order that was acknowledged."""
        answer = self.post("/orders", ORDER | changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def ready(self) -> dict[str, Any]:
        answer = requests.get(self.url + "/health/ready", timeout=TIMEOUT_S)
        health: dict[str, Any] = answer.json()
        return health

    def outbox_rows(self) -> int:
        rows: int = self.ready()["checks"]["outbox"]["rows"]
        return rows

    def orders(self) -> int:
        """How many orders there are, by paging to the end."""
        count, after = 0, ""
        while True:
            page = requests.get(f"{self.url}/orders?limit=200{after}", timeout=TIMEOUT_S).json()
            count += len(page["orders"])
            if page["next"] is None:
                return count
            after = f"&after={page['next']}"


@pytest.fixture(scope="session")
def running(stack: Stack) -> Stack:
    stack.run("start")
    return stack


@pytest.fixture
def whole(running: Stack) -> Iterator[Stack]:
    """For tests that break a part: afterwards everything is healthy again, or the test has failed."""
    yield running
    running.run("start")
    eventually(lambda: running.run("status", check=False).returncode == 0, within=30)


@pytest.fixture
def shop(running: Stack) -> Shop:
    return Shop(running.env["PRODUCER_URL"])


@pytest.fixture
def view(running: Stack) -> Iterator[Callable[[], Viewer]]:
    """Opens a stream that is live when it is returned, and closes it after the test."""
    with ExitStack() as open_streams:

        def open_stream() -> Viewer:
            viewer = open_streams.enter_context(Viewer(running.env["CONSUMER_URL"] + "/stream"))
            eventually(viewer.is_live)
            return viewer

        yield open_stream


def services(stack: Stack) -> dict[str, dict[str, Any]]:
    """Of each service: state, pid and health."""
    rows = json.loads(stack.run("status", "--json", check=False).stdout)
    return {row["name"]: row for row in rows}
