import uuid
from datetime import UTC, datetime

import pytest

from consumer.topic import publish_test_event
from consumer.topic.kafka import KafkaUnavailable


def test_ids_of_test_events_are_uuid7_and_sort_by_time() -> None:
    ids = [publish_test_event.uuid7(milliseconds) for milliseconds in (1, 2, 1_700_000_000_000)]
    assert ids == sorted(ids)
    assert all(each.version == 7 and each.variant == uuid.RFC_4122 for each in ids)
    assert ids[2].int >> 80 == 1_700_000_000_000


def test_subject_of_a_test_event_is_its_own_id() -> None:
    event = publish_test_event.new_test_event(datetime(2026, 11, 22, 14, 5, 6, 7, tzinfo=UTC))
    assert event["subject"] == event["id"]
    assert event["time"] == "2026-11-22T14:05:06.000007Z"


def test_test_event_that_no_broker_takes_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish_test_event, "DELIVERY_S", 0.3)
    with pytest.raises(KafkaUnavailable):
        publish_test_event.TestEventPublisher("127.0.0.1:1", "orders").publish()
