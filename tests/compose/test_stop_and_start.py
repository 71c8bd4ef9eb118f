"""Stops with open streams, data that outlives a stop, and parts that start late."""

import shutil
from functools import partial
from typing import Any

import pytest
import requests

from local_stack.services import APPS, BROKERS, POSTGRES, PRODUCER, RELAY
from tests.compose.stack import GATEWAY, ComposeStack
from tests.e2e.viewer import OpenViewer
from tests.eventually import eventually
from tests.shop import ORDER, Shop

pytestmark = pytest.mark.usefixtures("restored_stack")


def test_stop_with_open_streams_is_clean_and_quick(
    project: ComposeStack, open_viewer: OpenViewer, shop: Shop
) -> None:
    viewers = [open_viewer() for _ in range(20)]
    project.compose("stop", "--timeout", "8", GATEWAY, *APPS)
    ended = {
        container["Config"]["Labels"]["com.docker.compose.service"]: container["State"]["ExitCode"]
        for container in project.containers(GATEWAY, *APPS)
    }
    project.run("start")
    # Docker kills after the 8 s; the exit code would be 137.
    assert ended == dict.fromkeys((GATEWAY, *APPS), 0)
    order_id = eventually(partial(place_through_gateway, shop), within=20)
    for viewer in viewers:
        eventually(partial(viewer.has_seen, [order_id]), within=30)


def test_compose_down_and_a_start_keep_orders_and_events(
    project: ComposeStack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    placed = [shop.place() for _ in range(5)]
    eventually(lambda: viewer.has_seen(placed))
    orders = shop.count_orders()
    project.compose("down")
    assert project.containers() == []
    project.run("start")
    assert shop.count_orders() == orders
    response = requests.get(project.env["CONSUMER_URL"] + "/events?limit=200", timeout=10)
    assert response.status_code == 200, response.text
    events = response.json()["events"]
    assert set(placed) <= {event["subject"] for event in events}
    newer = shop.place()
    eventually(lambda: viewer.has_seen([*placed, newer]), within=30)
    assert not viewer.gaps()


def test_apps_wait_for_kafka_and_orders_are_taken(
    project: ComposeStack, shop: Shop, open_viewer: OpenViewer
) -> None:
    """The apps report that they wait, and orders are taken. `--no-deps`: as Docker starts them after a reboot."""
    project.compose("stop")
    project.compose("up", "--detach", "--no-deps", POSTGRES)
    project.compose("up", "--detach", "--no-deps", *APPS, GATEWAY)
    placed = [eventually(partial(place_through_gateway, shop), within=30) for _ in range(5)]
    assert eventually(lambda: shop.health()["status"] == "degraded", within=20)
    url = project.env["CONSUMER_URL"]
    health: dict[str, Any] = eventually(partial(health_with_checks, url), within=20)
    assert health["status"] in ("unavailable", "degraded")
    stream = requests.get(url + "/stream", timeout=10)
    assert stream.status_code == 200
    assert "event: busy" in stream.text
    project.compose("up", "--detach", "--wait", "--no-deps", *BROKERS)
    project.run("start")
    viewer = open_viewer()
    placed.append(shop.place())
    eventually(lambda: viewer.has_seen(placed[-1:]), within=30)
    eventually(lambda: shop.count_outbox_rows() == 0, within=40)
    events = requests.get(url + "/events?limit=200", timeout=10).json()["events"]
    assert set(placed) <= {event["subject"] for event in events}


def place_through_gateway(shop: Shop) -> str:
    """Place an order; a gateway that is not up yet counts as "not yet" in `eventually`."""
    try:
        return shop.place()
    except requests.ConnectionError as error:
        raise AssertionError("the gateway is not up yet") from error


def health_with_checks(url: str) -> dict[str, Any]:
    """Return the consumer's own health; an error of the gateway counts as "not yet" in `eventually`."""
    response = requests.get(url + "/health/ready", timeout=10)
    found: dict[str, Any] = response.json()
    assert "checks" in found, found
    return found


def test_response_without_a_producer_is_a_problem_document(project: ComposeStack, shop: Shop) -> None:
    project.run("stop", PRODUCER)
    response = shop.post("/orders", ORDER)
    project.run("start", PRODUCER)
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0
    assert response.json()["status"] == 503


def test_commands_work_after_a_bare_compose_up(project: ComposeStack) -> None:
    shutil.rmtree(project.folder / ".local")
    project.compose("up", "--detach", "--wait")
    project.run("restart", RELAY)
    project.run("status")
