"""Whoever has taken a broker's port may answer anything: nothing but UnreadableResponse or Refused comes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_ui.wire.encoding import Fields, UnreadableResponse, text, varint
from kafka_ui.wire.questions import LOG_DIRS, METADATA, QUORUM, Question, Refused, offsets

QUESTIONS: list[Question[object]] = [METADATA, LOG_DIRS, QUORUM, offsets({"orders": [0]}, -1)]  # type: ignore[list-item]


@given(st.integers(0, 2**28))
def test_number_is_read_as_it_was_written(value: int) -> None:
    assert Fields(varint(value)).varint() == value


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_text_is_read_as_it_was_written(value: str) -> None:
    assert Fields(text(value)).text() == value


@pytest.mark.parametrize("question", QUESTIONS, ids=["metadata", "log dirs", "quorum", "offsets"])
@given(data=st.binary(max_size=400))
def test_hostile_response_is_unreadable(question: Question[object], data: bytes) -> None:
    try:
        question.read(Fields(data))
    except (UnreadableResponse, Refused):
        return


def test_array_longer_than_its_response_is_refused_at_once() -> None:
    with pytest.raises(UnreadableResponse, match="array"):
        Fields(varint(2**31) + b"\0" * 10).array(lambda: None)
