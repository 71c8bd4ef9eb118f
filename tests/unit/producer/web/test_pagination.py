from uuid import UUID

import pytest

from producer.domain.status import Status
from producer.web.errors import InvalidFields
from producer.web.pagination import DEFAULT_LIMIT, read_cursor, read_limit, read_status, write_cursor

ORDER_ID = UUID("01939b1e-6b1c-7c3a-8b1e-0123456789ab")


@pytest.mark.parametrize(("text", "limit"), [(None, DEFAULT_LIMIT), ("1", 1), ("200", 200), ("007", 7)])
def test_limit_is_read(text: str | None, limit: int) -> None:
    assert read_limit(text) == limit


@pytest.mark.parametrize("text", ["", "0", "201", "1000", "0001", "-1", "+1", "1.0", " 1", "ten", "٣", "²"])
def test_invalid_limit_is_refused(text: str) -> None:
    with pytest.raises(InvalidFields) as refusal:
        read_limit(text)
    assert [error.pointer for error in refusal.value.errors] == ["/limit"]
    assert refusal.value.code == 422


def test_status_filter_is_read() -> None:
    assert read_status(None) is None
    assert [read_status(status.value) for status in Status] == list(Status)


@pytest.mark.parametrize("text", ["", "lost", "PLACED", "placed "])
def test_invalid_status_filter_is_refused_with_the_list_of_statuses(text: str) -> None:
    with pytest.raises(InvalidFields) as refusal:
        read_status(text)
    (error,) = refusal.value.errors
    assert error.pointer == "/status"
    assert error.detail == f"must be one of {', '.join(Status)}"


@pytest.mark.parametrize("order_id", [ORDER_ID, UUID(int=0), UUID(int=(1 << 128) - 1)])
def test_cursor_is_url_safe_and_read_back(order_id: UUID) -> None:
    cursor = write_cursor(order_id)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert read_cursor(cursor) == order_id


def test_cursor_may_be_left_out() -> None:
    assert read_cursor(None) is None


@pytest.mark.parametrize(
    "text",
    ["", "x", "====", str(ORDER_ID), write_cursor(ORDER_ID)[:-1], write_cursor(ORDER_ID) + "AAAA", "é" * 22],
)
def test_invalid_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidFields) as refusal:
        read_cursor(text)
    assert [error.pointer for error in refusal.value.errors] == ["/after"]
    assert refusal.value.code == 400
