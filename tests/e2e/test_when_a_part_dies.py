"""Parts of the stack are stopped or killed: they come back, and no acknowledged order is missing."""

import json
import socket
import uuid
from urllib.parse import urlsplit

import pytest
import requests

from local_stack.services import APPS, BROKERS, POSTGRES, PRODUCER, RELAY
from tests.e2e.customer import Customer
from tests.e2e.viewer import OpenViewer
from tests.eventually import eventually
from tests.shop import ORDER, Shop
from tests.stack import Stack


def test_without_the_relay_orders_are_shown_and_outbox_rows_wait(
    restored_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    eventually(lambda: shop.count_outbox_rows() == 0)
    restored_stack.run("stop", RELAY)
    placed = [shop.place() for _ in range(5)]
    eventually(lambda: viewer.has_seen(placed))
    assert shop.count_outbox_rows() == 5
    restored_stack.run("start", RELAY)
    eventually(lambda: shop.count_outbox_rows() == 0)
    assert all(viewer.times_seen()[order] == 1 for order in placed)


def test_without_kafka_orders_are_taken_and_shown_later(
    restored_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    restored_stack.run("stop", *BROKERS)
    placed = [shop.place() for _ in range(20)]
    assert eventually(lambda: shop.health()["status"] == "degraded")
    restored_stack.run("start", *BROKERS)
    eventually(lambda: viewer.has_seen(placed), within=40)
    assert all(viewer.times_seen()[order] == 1 for order in placed)
    eventually(lambda: shop.count_outbox_rows() == 0, within=30)
    eventually(shop.is_healthy, within=30)


def test_without_the_database_orders_are_refused_and_none_is_half_stored(
    restored_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer, before = open_viewer(), shop.count_orders()
    restored_stack.run("stop", POSTGRES)
    refused = shop.post("/orders", ORDER)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert shop.health()["status"] == "unavailable"
    restored_stack.run("start", POSTGRES)
    order_id = eventually(shop.place, within=20)
    eventually(lambda: viewer.times_seen()[order_id] == 1)
    assert shop.count_orders() == before + 1


@pytest.mark.parametrize("service", [*APPS, POSTGRES, BROKERS[1]])
def test_killed_process_comes_back_and_no_order_is_missing(
    restored_stack: Stack, shop: Shop, open_viewer: OpenViewer, service: str
) -> None:
    viewer = open_viewer()
    with Customer(shop) as customer:
        customer.place_more(20)
        pid = restored_stack.kill(service)
        customer.place_more(50)
    eventually(lambda: viewer.has_seen(customer.acknowledged), within=40)
    eventually(lambda: shop.count_outbox_rows() == 0, within=40)
    assert restored_stack.services()[service]["pid"] != pid
    assert not viewer.gaps()


def test_retry_after_a_lost_response_gets_the_same_order(restored_stack: Stack, shop: Shop) -> None:
    """Kill the producer after the commit, before it responds: a retry with the key gets the stored response."""
    before, key = shop.count_orders(), uuid.uuid4().hex
    address = urlsplit(shop.url)
    body = json.dumps(ORDER).encode()
    head = (
        f"POST /orders HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nIdempotency-Key: {key}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), 10) as customer:
        customer.sendall(head.encode() + body)
        eventually(lambda: shop.count_orders() == before + 1)
        restored_stack.kill(PRODUCER)

    def retry() -> requests.Response | None:
        try:
            headers = {"Idempotency-Key": key}
            return requests.post(shop.url + "/orders", json=ORDER, headers=headers, timeout=10)
        except requests.ConnectionError:
            return None

    response = eventually(retry, within=30)
    assert response is not None
    assert response.status_code == 201
    newest = requests.get(shop.url + "/orders?limit=1", timeout=10).json()["orders"][0]
    assert response.json() == newest
    assert shop.count_orders() == before + 1
