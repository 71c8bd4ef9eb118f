import pytest
from confluent_kafka import Message

from producer.relay.event_id import event_id_of

ID = "01939b1e-6b1c-7c3a-8b1e-0123456789ab"


@pytest.mark.parametrize(
    ("headers", "event_id"),
    [
        ([("id", ID.encode())], ID),
        ([("content-type", b"x"), ("id", ID.upper().encode())], ID.upper()),
        ([("id", b"not-an-id")], None),
        ([("id", b"\xff\xfe")], None),
        ([("id", None)], None),
        ([("id", b"")], None),
        ([], None),
        (None, None),
    ],
)
def test_event_id_is_read_from_the_id_header(
    headers: list[tuple[str, str | bytes | None]] | None, event_id: str | None
) -> None:
    message: Message = Message(headers=headers)
    assert event_id_of(message) == event_id
