"""The topic in memory is read as the consumer reads Kafka."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.fanout.feed import LineFeed
from bench.fanout.ours import PARTITIONS, FedTopic
from consumer.topic.kafka import BATCH, KafkaUnavailable, Record

BEGIN = (0,) * PARTITIONS


@pytest.fixture
def topic(tmp_path: Path) -> Iterator[FedTopic]:
    topic = FedTopic(str(tmp_path / "feed"))(BEGIN)
    yield topic
    topic.close()


@pytest.fixture
def feed(topic: FedTopic, tmp_path: Path) -> Iterator[LineFeed]:
    feed = LineFeed(tmp_path / "feed")
    topic.read(1.0)  # it accepts
    yield feed
    feed.close()


def read(topic: FedTopic, count: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < count:
        records += topic.read(1.0).records
    return records


def test_events_are_spread_over_the_partitions_in_order(topic: FedTopic, feed: LineFeed) -> None:
    feed.publish([b"%d" % number for number in range(PARTITIONS + 1)])
    records = read(topic, PARTITIONS + 1)
    assert [record.value for record in records] == [b"%d" % number for number in range(PARTITIONS + 1)]
    assert (records[-1].partition, records[-1].offset) == (0, 1)
    assert topic.end_offsets(PARTITIONS) == (2, *[1] * (PARTITIONS - 1))


def test_read_is_bounded_as_one_of_kafka(topic: FedTopic, feed: LineFeed) -> None:
    feed.publish([b"x"] * (BATCH + 1))
    assert len(topic.read(1.0).records) == BATCH
    assert len(topic.read(1.0).records) == 1


def test_line_that_came_in_part_waits_for_its_rest(topic: FedTopic, feed: LineFeed) -> None:
    feed._socket.sendall(b"one\ntw")
    assert [record.value for record in read(topic, 1)] == [b"one"]
    feed._socket.sendall(b"o\n")
    assert [record.value for record in read(topic, 1)] == [b"two"]


def test_another_feed_may_follow(topic: FedTopic, feed: LineFeed, tmp_path: Path) -> None:
    feed.publish([b"one"])
    feed.close()
    second = LineFeed(tmp_path / "feed")
    second.publish([b"two"])
    assert [record.value for record in read(topic, 2)] == [b"one", b"two"]
    second.close()


def test_there_is_no_past(topic: FedTopic, feed: LineFeed) -> None:
    feed.publish([b"one"])
    read(topic, 1)
    with pytest.raises(KafkaUnavailable):
        topic(BEGIN)
