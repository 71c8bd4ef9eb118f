import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.ring.position import Position, UnreadablePosition

TOPIC = "EQotUlZwTXW9hTrEQdvG7A"


def test_position_text_is_the_topic_id_and_the_offsets() -> None:
    assert str(Position(TOPIC, (120, 98))) == f"{TOPIC};0:120,1:98"


@given(st.lists(st.integers(0, 10**17), min_size=1, max_size=40))
def test_position_text_is_parsed_back(offsets: list[int]) -> None:
    position = Position(TOPIC, tuple(offsets))
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text",
    [
        "",
        TOPIC,
        f"{TOPIC};",
        f"{TOPIC};0:1,",
        f"{TOPIC};0:-1",
        f"{TOPIC};0:٣",
        f"{TOPIC};0:1 ",
        f"{TOPIC};0:1\n",
        f"{TOPIC};1:5",
        f"{TOPIC};0:1,0:2",
        f"{TOPIC};1:1,0:2",
        f"{TOPIC[:-1]};0:1",
        f"{TOPIC};0:{'9' * 19}",
        f"{TOPIC};" + ",".join(f"{n}:1" for n in range(3000)),
    ],
)
def test_malformed_position_is_refused(text: str) -> None:
    with pytest.raises(UnreadablePosition):
        Position.parse(text)


@given(st.text())
def test_arbitrary_text_is_refused_as_a_position(text: str) -> None:
    with pytest.raises(UnreadablePosition):
        Position.parse(text)


def test_added_partition_counts_as_offset_0_in_an_older_position() -> None:
    before, after = Position(TOPIC, (5,)), Position(TOPIC, (5, 3))
    assert after.covers(before)
    assert not before.covers(after)
    assert before.lost_until(after) == {"1": [0, 3]}
    assert before.no_earlier_than(Position(TOPIC, (2, 1))) == Position(TOPIC, (5, 1))
