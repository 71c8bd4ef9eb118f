"""Figures from their topic to the viewers that ask, beside the events, on real brokers."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.eventually import eventually
from tests.integration.consumer.conftest import Server, StartServer, Topic
from tests.integration.consumer.listener import Listener
from tests.unit.consumer.topic.fake_kafka import event
from tests.unit.consumer.topic.order_stats import figures


class StatsTopic:
    """The topic of the figures, which only this test uses."""

    def __init__(self, name: str, admin: AdminClient, producer: Producer) -> None:
        self.name, self._admin, self._producer = name, admin, producer

    def create(self) -> None:
        new = NewTopic(self.name, 1, 3, config={"cleanup.policy": "compact", "segment.bytes": str(1 << 20)})
        self._admin.create_topics([new], operation_timeout=10)[self.name].result(15)

    def delete(self) -> None:
        self._admin.delete_topics([self.name], operation_timeout=10)[self.name].result(15)

    def put(self, *payloads: bytes) -> None:
        for payload in payloads:
            self._producer.produce(self.name, payload, b"figures")
        assert self._producer.flush(15) == 0


@pytest.fixture
def missing_topic(topic: Topic, kafka_clients: tuple[AdminClient, Producer]) -> StatsTopic:
    return StatsTopic(f"{topic.name}.stats", *kafka_clients)


@pytest.fixture
def stats_topic(missing_topic: StatsTopic) -> Iterator[StatsTopic]:
    missing_topic.create()
    yield missing_topic
    missing_topic.delete()


def orders(listener: Listener) -> list[int]:
    return [stats["orders"] for stats in listener.named("stats")]


def test_newest_figures_come_at_once_and_then_each_change_to_who_asks(
    start_server: StartServer, topic: Topic, stats_topic: StatsTopic
) -> None:
    stats_topic.put(figures(1, orders=1), figures(2, orders=2))
    server = start_server(kafka_stats_topic=stats_topic.name)
    eventually(lambda: server.checks["figures"].get("time", "").startswith("2026-11-22T12:00:02"))
    with server.listen(stats="1") as asks, server.listen() as other:
        eventually(lambda: orders(asks) == [2])
        stats_topic.put(figures(3, orders=3), b"garbage", figures(1.5, orders=99))
        topic.put(event("o1"))
        eventually(lambda: orders(asks) == [2, 3])
        for listener in (asks, other):
            assert listener.wait_for(1) == [event("o1").decode()]
        assert asks.position == other.position
        assert b"stats" not in b"".join(block.event.encode() for block in other.blocks)
    eventually(lambda: server.checks["figures"]["unreadable"] == 1)
    assert server.health().json()["status"] == "ok"


def test_who_comes_back_is_sent_what_it_missed_and_the_newest_figures(
    start_server: StartServer, topic: Topic, stats_topic: StatsTopic
) -> None:
    server = start_server(kafka_stats_topic=stats_topic.name)
    with server.listen(stats="1") as first:
        position = first.position
    topic.put(event("o1"), event("o2"))
    stats_topic.put(figures(1, orders=1))
    eventually(lambda: server.checks["figures"]["received"] == 1)
    with server.listen(position, stats="1") as back:
        assert back.wait_for(2) == [event("o1").decode(), event("o2").decode()]
        eventually(lambda: orders(back) == [1])
        assert back.named("gap") == []


def test_without_the_topic_events_are_shown_and_figures_come_as_soon_as_it_is_there(
    start_server: StartServer, topic: Topic, missing_topic: StatsTopic
) -> None:
    server = start_server(kafka_stats_topic=missing_topic.name)
    eventually(lambda: server.checks["figures"].get("detail") == "the topic does not exist")
    assert server.health().json()["status"] == "ok"
    assert "No figures yet" in server.get("/figures").text
    with server.listen(stats="1") as listener:
        topic.put(event("o1"))
        assert listener.wait_for(1) == [event("o1").decode()]
        assert orders(listener) == []
        missing_topic.create()
        try:
            missing_topic.put(figures(1, orders=1))
            eventually(lambda: orders(listener) == [1])
            assert "detail" not in server.checks["figures"]
        finally:
            missing_topic.delete()


def test_page_is_rendered_with_the_newest_figures(start_server: StartServer, stats_topic: StatsTopic) -> None:
    item = {"item": "<b>Tee</b>", "orders": 1, "quantity": 2, "revenue": "64.00"}
    stats_topic.put(figures(1, items=[item]))
    server = start_server(kafka_stats_topic=stats_topic.name)
    eventually(lambda: server.checks["figures"]["received"] == 1)
    page = requests.get(f"{server.url}/figures", timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "&lt;b&gt;Tee&lt;/b&gt;" in page.text
    assert "<b>" not in page.text


@pytest.mark.parametrize("fanout", ["sockets", "generator"])
def test_fifty_viewers_are_sent_the_same_bytes(
    start_server: StartServer, stats_topic: StatsTopic, fanout: str
) -> None:
    server: Server = start_server(kafka_stats_topic=stats_topic.name, fanout=fanout)
    with ExitStack() as stack:
        viewers = [stack.enter_context(server.listen(stats="1")) for _ in range(50)]
        payload = figures(1, orders=7)
        stats_topic.put(payload)
        eventually(lambda: all(orders(viewer) == [7] for viewer in viewers))
        assert all(json.loads(payload) == viewer.named("stats")[0] for viewer in viewers)
