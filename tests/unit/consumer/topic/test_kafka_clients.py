"""The settings that promises rest on, as the running clients have them."""

from collections.abc import Callable

import pytest

from consumer.topic.kafka import TopicAdmin, TopicReader
from consumer.topic.publish_test_event import TestEventPublisher
from tests import librdkafka

TOPIC = ("127.0.0.1:1", "orders")


def settings(client: object, names: dict[str, str]) -> dict[str, str]:
    return {name: librdkafka.setting(client, name) for name in names}


def test_reader_skips_nothing_and_belongs_to_no_group() -> None:
    wanted = {
        "auto.offset.reset": "error",  # an offset that is gone must become a gap, and not a jump
        "isolation.level": "read_committed",
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "enable.partition.eof": "true",
        "queued.max.messages.kbytes": "8192",
        "fetch.message.max.bytes": "1048576",
        "topic.metadata.refresh.interval.ms": "5000",
    }
    reader = TopicReader(*TOPIC, offsets=[0])
    try:
        assert settings(reader._consumer, wanted) == wanted
    finally:
        reader.close()


def test_test_event_is_acknowledged_by_every_replica_in_sync() -> None:
    """202 promises that every viewer will see it. A viewer's order and its test events are partitioned alike."""
    wanted = {
        "acks": "-1",
        "partitioner": "murmur2_random",
        "linger.ms": "0",
        "delivery.timeout.ms": "3000",
        "request.timeout.ms": "2000",
        "queue.buffering.max.messages": "100",
    }
    assert settings(TestEventPublisher(*TOPIC)._connected(), wanted) == wanted


@pytest.mark.parametrize(
    "connect",
    [lambda: TopicAdmin(*TOPIC)._admin, lambda: TestEventPublisher(*TOPIC)._connected()],
    ids=["admin", "test events"],
)
def test_broker_that_hangs_is_given_up_soon(connect: Callable[[], object]) -> None:
    wanted = {
        "socket.timeout.ms": "3000",
        "socket.keepalive.enable": "true",
        "reconnect.backoff.max.ms": "1000",
    }
    assert settings(connect(), wanted) == wanted
