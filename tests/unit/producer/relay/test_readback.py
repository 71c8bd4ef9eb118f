from types import SimpleNamespace
from typing import Any

import pytest

from producer.relay.event_id import event_id_of

ID = "01939b1e-6b1c-7c3a-8b1e-0123456789ab"


@pytest.mark.parametrize(
    ("headers", "found"),
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
def test_the_event_id_is_in_the_header(headers: Any, found: str | None) -> None:
    assert event_id_of(SimpleNamespace(headers=lambda: headers)) == found  # type: ignore[arg-type]
