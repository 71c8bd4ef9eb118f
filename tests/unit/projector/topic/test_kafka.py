"""The settings that promises rest on, and that librdkafka takes them."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Consumer

from projector.topic.kafka import LATEST_MS, GroupMember, _message, member_settings

SETTINGS = member_settings("127.0.0.1:1", "projector", "projector-1", 10)


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    consumer = Consumer(SETTINGS)
    yield consumer
    consumer.close()


def test_client_takes_the_settings(consumer: Consumer) -> None:
    assert consumer.assignment() == []


class StuckClient:
    """Kafka's client, of which `close` does not return before it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def close(self) -> None:
        self.released.wait(5)


def test_client_that_does_not_end_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("projector.topic.kafka.CLOSE_S", 0.05)
    member = GroupMember(SETTINGS, "orders", 100)
    stuck = StuckClient()
    client = member._consumer
    monkeypatch.setattr(member, "_consumer", stuck)
    member.close()
    assert not stuck.released.is_set()
    assert "has not ended" in caplog.text
    stuck.released.set()
    client.close()


def test_restart_of_a_member_moves_nothing_and_a_rebalance_only_what_must() -> None:
    assert SETTINGS["group.instance.id"] == "projector-1"
    assert SETTINGS["partition.assignment.strategy"] == "cooperative-sticky"
    assert SETTINGS["session.timeout.ms"] == 10_000
    assert SETTINGS["heartbeat.interval.ms"] * 3 < SETTINGS["session.timeout.ms"]


def test_offsets_are_committed_only_when_told_and_no_reading_begins_at_them() -> None:
    assert SETTINGS["enable.auto.offset.store"] is False
    assert SETTINGS["auto.offset.reset"] == "error"


@pytest.mark.parametrize("milliseconds", [-1, 0, LATEST_MS, LATEST_MS + 1000, (1 << 63) - 1])
def test_a_message_with_any_timestamp_is_read(milliseconds: int) -> None:
    """A broker takes what a client says, where the topic has the clients' time."""
    message = SimpleNamespace(
        partition=lambda: 0,
        offset=lambda: 5,
        timestamp=lambda: (TIMESTAMP_CREATE_TIME, milliseconds),
        key=lambda: None,
        value=lambda: b"{",
    )
    assert 1970 <= _message(message).time.year <= 9999
