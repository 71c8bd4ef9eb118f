"""The way of an order from the REST interface to every open stream."""

import socket
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from confluent_kafka import Producer

from producer.domain.status import Status
from tests.e2e.viewer import OpenViewer, Viewer
from tests.eventually import eventually
from tests.shop import DELIVERY, ORDER, Shop
from tests.stack import Stack


def test_order_appears_in_an_open_stream(shop: Shop, open_viewer: OpenViewer) -> None:
    viewer = open_viewer()
    order_id = shop.place(customer_name="Zoë", description="first")
    eventually(lambda: viewer.times_seen()[order_id] == 1)
    (event,) = [event for event in viewer.events if event["subject"] == order_id]
    assert event["type"] == "order.placed"
    assert event["data"] == ORDER | {
        "order_id": order_id,
        "version": 1,
        "status": "placed",
        "customer_name": "Zoë",
        "description": "first",
        "total": "64.00",
        "placed_at": event["time"],
    }
    assert viewer.position is not None


def test_streams_opened_at_different_times_each_get_every_event_once(
    shop: Shop, open_viewer: OpenViewer
) -> None:
    viewers: list[Viewer] = []
    batches: list[list[str]] = []
    for _ in range(3):
        viewers.append(open_viewer())
        batches.append([shop.place() for _ in range(10)])
    for number, viewer in enumerate(viewers):
        expected = [order for batch in batches[number:] for order in batch]
        eventually(partial(viewer.has_seen, expected))
        assert all(viewer.times_seen()[order] == 1 for order in expected)


def test_random_orders_all_appear(shop: Shop, open_viewer: OpenViewer) -> None:
    viewer = open_viewer()
    assert shop.post("/orders/random", {"count": 1000}).json() == {"count": 1000}
    placed = shop.order_ids(1000)
    eventually(lambda: viewer.has_seen(placed))
    assert {viewer.times_seen()[order] for order in placed} == {1}


def test_viewer_that_was_away_gets_the_events_it_missed(
    running_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    first = open_viewer()
    seen = shop.place()
    eventually(lambda: first.times_seen()[seen] == 1)
    position = eventually(lambda: first.position)
    missed = [shop.place() for _ in range(20)]
    with Viewer(running_stack.env["CONSUMER_URL"] + "/stream", position) as returned:
        eventually(lambda: returned.has_seen(missed))
        assert not returned.gaps()


def test_figures_follow_the_orders(running_stack: Stack, shop: Shop) -> None:
    figures = running_stack.env["PROJECTOR_URL"]

    def timeline() -> list[tuple[int, str]]:
        response = requests.get(f"{figures}/orders/{order_id}/timeline", timeout=10)
        return [(each["version"], each["status"]) for each in response.json().get("versions", [])]

    order_id = shop.place()
    for status in DELIVERY:
        shop.change_status(order_id, status)
    eventually(lambda: timeline() == list(enumerate([Status.PLACED, *DELIVERY], 1)))
    before = requests.get(f"{figures}/stats", timeout=10).json()
    assert shop.post("/orders/random", {"count": 100}).status_code == 201
    eventually(
        lambda: requests.get(f"{figures}/stats", timeout=10).json()["orders"] >= before["orders"] + 100
    )


def test_figures_reach_the_viewers_that_ask_for_them_and_no_others(
    running_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    other = open_viewer()

    def newest(viewer: Viewer) -> dict[str, Any]:
        found = [data for name, data in viewer.named if name == "stats"]
        assert found, "no figures yet"
        return found[-1]

    with Viewer(running_stack.env["CONSUMER_URL"] + "/stream?stats=1") as viewer:
        before = eventually(lambda: newest(viewer))["orders"]
        assert shop.post("/orders/random", {"count": 50}).status_code == 201
        eventually(lambda: newest(viewer)["orders"] >= before + 50)
        stats = requests.get(running_stack.env["PROJECTOR_URL"] + "/stats", timeout=10).json()
        eventually(lambda: {name: newest(viewer)[name] for name in stats} == stats)
    assert "stats" not in {name for name, _ in other.named}


def test_order_appears_in_the_history(running_stack: Stack, shop: Shop, open_viewer: OpenViewer) -> None:
    viewer = open_viewer()
    order_id = shop.place()
    eventually(lambda: viewer.times_seen()[order_id] == 1)
    response = requests.get(running_stack.env["CONSUMER_URL"] + "/events?limit=5", timeout=10)
    assert order_id in [event["subject"] for event in response.json()["events"]]


def test_garbage_on_the_topic_does_not_stop_the_stream(
    running_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    foreign = Producer({"bootstrap.servers": running_stack.env["KAFKA_BOOTSTRAP_SERVERS"]})
    for value in (b"", b"\x00\xff", b"[1,2]", b'{"id":1}', b'{"specversion":"1.0"}', None):
        foreign.produce("orders", value, key=b"garbage")
    assert foreign.flush(15) == 0
    order_id = shop.place()
    eventually(lambda: viewer.times_seen()[order_id] == 1)


def test_stalled_viewer_does_not_delay_other_viewers(
    running_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    address = urlsplit(running_stack.env["CONSUMER_URL"])
    with socket.create_connection((address.hostname, address.port), 10) as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        viewer = open_viewer()
        for _ in range(5):
            shop.post("/orders/random", {"count": 1000})
        eventually(lambda: len(viewer.times_seen()) == 5000, within=30)


def test_invalid_order_is_refused_and_not_shown(shop: Shop, open_viewer: OpenViewer) -> None:
    viewer, before = open_viewer(), shop.count_orders()
    response = shop.post("/orders", ORDER | {"unit_price": "1.005"})
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["errors"][0]["pointer"] == "/unit_price"
    marker = shop.place()
    eventually(lambda: viewer.times_seen()[marker] == 1)
    assert set(viewer.times_seen()) == {marker}
    assert shop.count_orders() == before + 1


def test_transitions_of_an_order_are_shown_in_sequence(shop: Shop, open_viewer: OpenViewer) -> None:
    viewer = open_viewer()
    order_id = shop.place()
    for status in DELIVERY:
        shop.change_status(order_id, status)
    eventually(lambda: viewer.times_seen()[order_id] == 4)
    statuses = [event["data"]["status"] for event in viewer.events if event["subject"] == order_id]
    assert statuses == [Status.PLACED, *DELIVERY]
