"""Stops with streams open, data that stays, and what comes late."""

import shutil
from typing import Any

import pytest
import requests

from tests.compose.stack import ComposeStack
from tests.e2e.viewer import View
from tests.eventually import eventually
from tests.shop import ORDER, Shop

pytestmark = pytest.mark.usefixtures("whole")


def test_stop_with_open_streams_is_clean_and_quick(project: ComposeStack, view: View, shop: Shop) -> None:
    viewers = [view() for _ in range(20)]
    project.compose("stop", "--timeout", "8", "gateway", "consumer", "producer", "relay")
    ended = {
        container["Config"]["Labels"]["com.docker.compose.service"]: container["State"]["ExitCode"]
        for container in project.containers("gateway", "consumer", "producer", "relay")
    }
    project.run("start")
    # 137 is what Docker killed after the 8 s.
    assert ended == {"gateway": 0, "consumer": 0, "producer": 0, "relay": 0}
    order_id = eventually(lambda: place(shop), within=20)
    for viewer in viewers:
        eventually(lambda viewer=viewer: viewer.has_seen([order_id]), within=30)


def test_compose_down_and_a_start_keep_orders_and_events(
    project: ComposeStack, shop: Shop, view: View
) -> None:
    viewer = view()
    placed = [shop.place() for _ in range(5)]
    eventually(lambda: viewer.has_seen(placed))
    orders = shop.orders()
    project.compose("down")
    assert project.containers() == []
    project.run("start")
    assert shop.orders() == orders
    answer = requests.get(project.env["CONSUMER_URL"] + "/events?limit=200", timeout=10)
    assert answer.status_code == 200, answer.text
    events = answer.json()["events"]
    assert set(placed) <= {event["subject"] for event in events}
    newer = shop.place()
    eventually(lambda: viewer.has_seen([*placed, newer]), within=30)
    assert not [data for name, data in viewer.named if name == "gap"]


def test_apps_wait_for_kafka_and_orders_are_taken(project: ComposeStack, shop: Shop, view: View) -> None:
    """The apps wait and say so, and orders are taken. `--no-deps`: as Docker starts them after a reboot."""
    brokers = ("kafka-1", "kafka-2", "kafka-3")
    project.compose("stop")
    project.compose("up", "--detach", "--no-deps", "postgres")
    project.compose("up", "--detach", "--no-deps", "producer", "relay", "consumer", "gateway")
    placed = [eventually(lambda: place(shop), within=30) for _ in range(5)]
    assert eventually(lambda: shop.ready()["status"] == "degraded", within=20)
    url = project.env["CONSUMER_URL"]
    health: dict[str, Any] = eventually(lambda: waiting(url), within=20)
    assert health["status"] in ("unavailable", "degraded")
    stream = requests.get(url + "/stream", timeout=10)
    assert stream.status_code == 200
    assert "event: busy" in stream.text
    project.compose("up", "--detach", "--wait", "--no-deps", *brokers)
    project.run("start")
    viewer = view()
    placed.append(shop.place())
    eventually(lambda: viewer.has_seen(placed[-1:]), within=30)
    eventually(lambda: shop.outbox_rows() == 0, within=40)
    events = requests.get(url + "/events?limit=200", timeout=10).json()["events"]
    assert set(placed) <= {event["subject"] for event in events}


def place(shop: Shop) -> str:
    try:
        return shop.place()
    except requests.ConnectionError as error:
        raise AssertionError("the gateway is not up yet") from error


def waiting(url: str) -> dict[str, Any]:
    answer = requests.get(url + "/health/ready", timeout=10)
    found: dict[str, Any] = answer.json()
    assert "checks" in found, found
    return found


def test_response_without_a_producer_is_a_problem_document(project: ComposeStack, shop: Shop) -> None:
    project.run("stop", "producer")
    answer = shop.post("/orders", ORDER)
    project.run("start", "producer")
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["status"] == 503


def test_commands_work_after_a_bare_compose_up(project: ComposeStack) -> None:
    shutil.rmtree(project.folder / ".local")
    project.compose("up", "--detach", "--wait")
    project.run("restart", "relay")
    project.run("status")
