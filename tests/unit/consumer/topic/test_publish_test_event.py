import uuid
from datetime import UTC, datetime

from consumer.topic import publish_test_event


def test_ids_of_test_events_are_uuid7_and_sort_by_time() -> None:
    ids = [publish_test_event.uuid7(milliseconds) for milliseconds in (1, 2, 1_700_000_000_000)]
    assert ids == sorted(ids)
    assert all(each.version == 7 and each.variant == uuid.RFC_4122 for each in ids)
    assert ids[2].int >> 80 == 1_700_000_000_000


def test_subject_of_a_test_event_is_its_own_id() -> None:
    event = publish_test_event.new_test_event(datetime(2026, 11, 22, 14, 5, 6, 7, tzinfo=UTC))
    assert event["subject"] == event["id"]
    assert event["time"] == "2026-11-22T14:05:06.000007Z"
