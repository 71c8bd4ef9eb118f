"""What is stopped or killed comes back, and nothing that was acknowledged is missing."""

import json
import socket
import uuid
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.customer import Customer
from tests.e2e.viewer import View
from tests.eventually import eventually
from tests.shop import ORDER, Shop
from tests.stack import BACKENDS, Stack

BROKERS = BACKENDS[1:]


def test_without_the_relay_orders_are_shown_and_outbox_rows_wait(
    whole: Stack, shop: Shop, view: View
) -> None:
    viewer = view()
    eventually(lambda: shop.outbox_rows() == 0)
    whole.run("stop", "relay")
    placed = [shop.place() for _ in range(5)]
    eventually(lambda: viewer.has_seen(placed))
    assert shop.outbox_rows() == 5
    whole.run("start", "relay")
    eventually(lambda: shop.outbox_rows() == 0)
    assert all(viewer.times_seen()[order] == 1 for order in placed)


def test_without_kafka_orders_are_taken_and_shown_later(whole: Stack, shop: Shop, view: View) -> None:
    viewer = view()
    whole.run("stop", *BROKERS)
    placed = [shop.place() for _ in range(20)]
    assert eventually(lambda: shop.ready()["status"] == "degraded")
    whole.run("start", *BROKERS)
    eventually(lambda: viewer.has_seen(placed), within=40)
    assert all(viewer.times_seen()[order] == 1 for order in placed)
    eventually(lambda: shop.outbox_rows() == 0, within=30)
    eventually(lambda: shop.is_ok(), within=30)


def test_without_the_database_orders_are_refused_and_none_is_half_stored(
    whole: Stack, shop: Shop, view: View
) -> None:
    viewer, before = view(), shop.orders()
    whole.run("stop", "postgres")
    refused = shop.post("/orders", ORDER)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert shop.ready()["status"] == "unavailable"
    whole.run("start", "postgres")
    order_id = eventually(lambda: shop.place(), within=20)
    eventually(lambda: viewer.times_seen()[order_id] == 1)
    assert shop.orders() == before + 1


@pytest.mark.parametrize("service", ["producer", "relay", "consumer", "postgres", "kafka-2"])
def test_killed_process_comes_back_and_no_order_is_missing(
    whole: Stack, shop: Shop, view: View, service: str
) -> None:
    viewer = view()
    with Customer(shop) as customer:
        customer.goes_on(20)
        pid = whole.kill(service)
        customer.goes_on(50)
    eventually(lambda: viewer.has_seen(customer.acknowledged), within=40)
    eventually(lambda: shop.outbox_rows() == 0, within=40)
    assert whole.services()[service]["pid"] != pid
    assert not [data for name, data in viewer.named if name == "gap"]


def test_retry_after_a_lost_response_gets_the_same_order(whole: Stack, shop: Shop) -> None:
    """Killed after the commit, before the customer has heard of it: a retry with the key gets that order."""
    before, key = shop.orders(), uuid.uuid4().hex
    address = urlsplit(shop.url)
    body = json.dumps(ORDER).encode()
    head = (
        f"POST /orders HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nIdempotency-Key: {key}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), 10) as customer:
        customer.sendall(head.encode() + body)
        eventually(lambda: shop.orders() == before + 1)
        whole.kill("producer")

    def retry() -> requests.Response | None:
        try:
            headers = {"Idempotency-Key": key}
            return requests.post(shop.url + "/orders", json=ORDER, headers=headers, timeout=10)
        except requests.ConnectionError:
            return None

    answer = eventually(retry, within=30)
    assert answer is not None
    assert answer.status_code == 201
    newest = requests.get(shop.url + "/orders?limit=1", timeout=10).json()["orders"][0]
    assert answer.json() == newest
    assert shop.orders() == before + 1
