from hypothesis import given
from hypothesis import strategies as st

from consumer.fanout import sse
from consumer.ring.position import Position
from consumer.ring.types import Gap
from tests.unit.consumer.fanout.stream_text import blocks
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID

PLACE = Position(TOPIC_ID, (4, 2))


@given(st.lists(st.text(st.characters(exclude_characters="\r", codec="utf-8"), min_size=1), min_size=1))
def test_a_browser_gets_the_bytes_that_were_in_kafka(payloads: list[str]) -> None:
    read = blocks(sse.events([payload.encode() for payload in payloads], PLACE))
    assert [block.data for block in read] == payloads
    assert [block.last_id for block in read] == [""] * (len(payloads) - 1) + [str(PLACE)]


def test_a_status_is_heartbeat_and_bookmark_in_one() -> None:
    (status,) = blocks(sse.status("live", PLACE))
    assert (status.event, status.json) == ("status", {"state": "live", "position": str(PLACE)})
    assert status.last_id == str(PLACE)


def test_a_gap_says_what_is_lost_and_where_it_goes_on() -> None:
    (gap,) = blocks(sse.gap(Gap("expired", Position(TOPIC_ID, (1, 2)), PLACE)))
    assert gap.json == {
        "reason": "expired",
        "from": f"{TOPIC_ID};0:1,1:2",
        "to": str(PLACE),
        "lost": {"0": [1, 4]},
    }
    assert gap.last_id == str(PLACE)


def test_offsets_of_another_topic_are_not_compared() -> None:
    (gap,) = blocks(sse.gap(Gap("recreated", Position(OTHER_ID, (1, 2)), PLACE)))
    assert gap.json["lost"] == {}


def test_a_gap_after_an_unreadable_position_comes_from_nowhere() -> None:
    (gap,) = blocks(sse.gap(Gap("unreadable", None, PLACE)))
    assert (gap.json["from"], gap.json["lost"]) == (None, {})


def test_busy_says_when_to_come_back() -> None:
    text = sse.retry(2500) + sse.busy("streams")
    assert text.startswith(b"retry: 2500\n")
    assert [block.event for block in blocks(text)] == ["busy"]
