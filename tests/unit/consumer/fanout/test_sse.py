from datetime import UTC, datetime, timedelta
from unittest.mock import ANY

from hypothesis import given
from hypothesis import strategies as st

from consumer.fanout import sse
from consumer.ring.position import Position
from consumer.ring.types import Gap
from tests.unit.consumer.fanout.stream_text import blocks
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID

POSITION = Position(TOPIC_ID, (4, 2))


@given(st.lists(st.text(st.characters(exclude_characters="\r", codec="utf-8"), min_size=1), min_size=1))
def test_event_blocks_carry_the_payload_bytes_and_one_id(payloads: list[str]) -> None:
    read = blocks(sse.events([payload.encode() for payload in payloads], POSITION))
    assert [block.data for block in read] == payloads
    assert [block.last_id for block in read] == [""] * (len(payloads) - 1) + [str(POSITION)]


def test_status_block_carries_the_state_and_the_position_as_id() -> None:
    (status,) = blocks(sse.status("live", POSITION))
    assert (status.event, status.json) == (
        "status",
        {"state": "live", "position": str(POSITION), "time": ANY},
    )
    assert status.last_id == str(POSITION)


def test_gap_block_carries_the_lost_offsets_and_the_next_position() -> None:
    (gap,) = blocks(sse.gap(Gap("expired", Position(TOPIC_ID, (1, 2)), POSITION)))
    assert gap.json == {
        "reason": "expired",
        "from": f"{TOPIC_ID};0:1,1:2",
        "to": str(POSITION),
        "lost": {"0": [1, 4]},
    }
    assert gap.last_id == str(POSITION)


def test_gap_after_a_recreated_topic_has_no_lost_offsets() -> None:
    (gap,) = blocks(sse.gap(Gap("recreated", Position(OTHER_ID, (1, 2)), POSITION)))
    assert gap.json["lost"] == {}


def test_gap_after_an_unreadable_position_has_no_start() -> None:
    (gap,) = blocks(sse.gap(Gap("unreadable", None, POSITION)))
    assert (gap.json["from"], gap.json["lost"]) == (None, {})


def test_busy_block_follows_a_retry_time() -> None:
    text = sse.retry(2500) + sse.busy("streams")
    assert text.startswith(b"retry: 2500\n")
    assert [block.event for block in blocks(text)] == ["busy"]


def test_status_tells_the_servers_time() -> None:
    """For pages whose clock is wrong."""
    before = datetime.now(UTC)
    time = blocks(sse.status("live", POSITION))[0].json["time"]
    assert time.endswith("Z")
    assert timedelta(milliseconds=-1) <= datetime.fromisoformat(time) - before < timedelta(seconds=5)
