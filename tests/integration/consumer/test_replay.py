"""Streams that begin before the ring, on real brokers: complete, joined without a hole, whatever comes in meanwhile."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tests.eventually import eventually
from tests.integration.consumer.conftest import Server, StartServer, Topic
from tests.integration.consumer.listener import Listener
from tests.unit.consumer.topic.fake_kafka import event


def subjects(listener: Listener) -> list[str]:
    """Return the orders of the events, in the order in which they came."""
    return [json.loads(data)["subject"] for data in listener.events()]


def put_unevenly(topic: Topic, many: int, name: str = "o") -> list[str]:
    """Publish events, most of them to partition 0 and none to partition 2; return their orders."""
    orders = [f"{name}{n}" for n in range(many)]
    topic.put(*(event(order) for order in orders[: many // 10]), partition=1)
    topic.put(*(event(order) for order in orders[many // 10 :]), partition=0)
    return orders


def start_of(topic_id: str) -> str:
    return f"{topic_id};0:0,1:0,2:0"


def topic_id_of(server: Server) -> str:
    with server.listen() as listener:
        return listener.position.split(";")[0]


@contextmanager
def publishing(topic: Topic) -> Iterator[list[str]]:
    """Publish without a pause; give the orders that Kafka has so far."""
    orders: list[str] = []
    stopping = threading.Event()

    def publish() -> None:
        while not stopping.is_set():
            new = [f"live-{len(orders) + n}" for n in range(20)]
            topic.put(*(event(order) for order in new), partition=len(orders) // 20 % 2)
            orders.extend(new)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield orders
    finally:
        stopping.set()
        thread.join(20)


def test_position_before_the_ring_is_served_from_kafka_without_a_gap(
    topic: Topic, start_server: StartServer
) -> None:
    orders = put_unevenly(topic, 3000)
    server = start_server(ring_events=100)
    with server.listen(start_of(topic_id_of(server))) as listener:
        listener.wait_for(3000, within=30)
        topic.put(event("later"), partition=2)
        listener.wait_for(3001)
        assert sorted(subjects(listener)) == sorted([*orders, "later"])
        eventually(listener.is_live)
        assert listener.named("gap") == []
        first = listener.blocks[0]
        assert (first.event, first.json["replay"]) == ("status", "waiting")


def test_replay_joins_the_live_ones_while_a_producer_never_pauses(
    topic: Topic, start_server: StartServer
) -> None:
    orders = put_unevenly(topic, 3000)
    server = start_server(ring_events=100)
    begin = start_of(topic_id_of(server))
    with publishing(topic) as live, server.listen(begin) as one, server.listen(start=begin) as other:
        for listener in (one, other):
            eventually(
                lambda listener=listener: (  # type: ignore[misc]
                    listener.is_live() and len(listener.events()) > 3000 + 200
                ),
                within=60,
            )
    expected = [*orders, *live]
    with server.listen(begin) as late:
        late.wait_for(len(expected), within=60)
        assert sorted(subjects(late)) == sorted(expected)
        for listener in (one, other, late):
            seen = subjects(listener)
            assert len(set(seen)) == len(seen)
            assert seen_in_order(seen, expected)
            assert listener.named("gap") == []


def seen_in_order(seen: list[str], expected: list[str]) -> bool:
    """Return whether nothing is missing up to the last one of each partition that has come."""
    by_partition: dict[bool, list[str]] = {True: [], False: []}
    for order in expected:
        by_partition[_is_in_1(order)].append(order)
    for which, orders in by_partition.items():
        came = [order for order in seen if _is_in_1(order) == which]
        if came != orders[: len(came)]:
            return False
    return True


def _is_in_1(order: str) -> bool:
    kind, _, number = order.rpartition("-")
    return int(number) // 20 % 2 == 1 if kind else int(order[1:]) < 300


def test_stream_begins_at_a_time_before_the_ring(topic: Topic, start_server: StartServer) -> None:
    put_unevenly(topic, 500, "early")
    between = datetime.now(UTC)
    orders = put_unevenly(topic, 1000, "late")
    server = start_server(ring_events=100)
    with server.listen(start=between.isoformat()) as listener:
        listener.wait_for(1000, within=30)
        assert sorted(subjects(listener)) == sorted(orders)
        assert listener.named("gap") == []
        assert listener.blocks[0].event == "status"


def test_what_retention_has_deleted_is_a_gap_and_the_rest_is_served(
    topic: Topic, start_server: StartServer
) -> None:
    topic.put(*(event(f"o{n}") for n in range(1000)), partition=0)
    topic.delete_before(0, 400)
    server = start_server(ring_events=100)
    begin = start_of(topic_id_of(server))
    with server.listen(begin) as listener:
        listener.wait_for(600, within=30)
        assert subjects(listener) == [f"o{n}" for n in range(400, 1000)]
        assert [(gap["reason"], gap["lost"]) for gap in listener.named("gap")] == [
            ("expired", {"0": [0, 400]})
        ]
    with server.listen(start="2020-01-01T00:00:00Z") as listener:
        assert listener.wait_for(600, within=30)
        assert [(gap["reason"], gap["from"]) for gap in listener.named("gap")] == [("expired", None)]


def test_crowd_of_the_same_stretch_is_served_by_few_readers(topic: Topic, start_server: StartServer) -> None:
    put_unevenly(topic, 2000)
    server = start_server(ring_events=100)
    begin = start_of(topic_id_of(server))
    listeners = [server.listen(begin) for _ in range(20)]
    try:
        for listener in listeners:
            listener.wait_for(2000, within=60)
            assert len(set(subjects(listener))) == 2000
    finally:
        for listener in listeners:
            listener.__exit__()


def test_slow_reader_is_served_to_the_end(topic: Topic, start_server: StartServer) -> None:
    """It takes little at a time, so that its part is no longer kept when it comes for the next."""
    topic.put(*(event(f"o{n}", note="x" * 2000) for n in range(3000)), partition=0)
    server = start_server(ring_events=100, replay_bytes=1 << 20)
    begin = start_of(topic_id_of(server))
    with server.listen(begin) as slow:
        slow.pause_after(64 << 10)
        for _ in range(3):
            with server.listen(begin) as fast:
                fast.wait_for(3000, within=60)
        slow.go_on()
        slow.wait_for(3000, within=60)
        assert subjects(slow) == [f"o{n}" for n in range(3000)]
        assert slow.named("gap") == []


def test_filters_hold_before_and_after_the_join(topic: Topic, start_server: StartServer) -> None:
    put_unevenly(topic, 1000)
    topic.put(event("o7", 2, type="order.shipped"), partition=1)
    server = start_server(ring_events=100)
    begin = start_of(topic_id_of(server))
    with (
        server.listen(start=begin, order="o7") as followed,
        server.listen(start=begin, type="order.shipped") as shipped,
    ):
        eventually(followed.is_live, within=30)
        topic.put(event("o7", 3, type="order.delivered"), event("other"), partition=1)
        assert [json.loads(data)["data"]["version"] for data in followed.wait_for(3)] == [1, 2, 3]
        assert [json.loads(data)["type"] for data in shipped.wait_for(1)] == ["order.shipped"]


@pytest.mark.parametrize("fanout", ["sockets", "generator"])
def test_a_time_to_come_is_live(topic: Topic, start_server: StartServer, fanout: str) -> None:
    topic.put(event("before"))
    server = start_server(fanout=fanout)
    with server.listen(start="2100-01-01T00:00:00Z") as listener:
        eventually(listener.is_live)
        name = uuid.uuid4().hex
        topic.put(event(name))
        listener.wait_for(1)
        assert subjects(listener) == [name]


def test_fallback_serves_the_past_too(topic: Topic, start_server: StartServer) -> None:
    orders = put_unevenly(topic, 2000)
    server = start_server(ring_events=100, fanout="generator")
    with server.listen(start_of(topic_id_of(server))) as listener:
        listener.wait_for(2000, within=30)
        assert sorted(subjects(listener)) == sorted(orders)
        assert listener.named("gap") == []
