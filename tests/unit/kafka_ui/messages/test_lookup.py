import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_ui.messages import partitioner
from kafka_ui.messages.lookup import CLOCKS_DIFFER_MS, earliest_ms
from kafka_ui.messages.position import UnreadablePosition, parse, write
from producer.domain.partitioner import partition_of


@given(st.text(max_size=40), st.integers(1, 50))
def test_key_is_looked_for_where_the_relay_expects_its_order(key: str, partitions: int) -> None:
    """Each has a copy, as the services share no code."""
    encoded = key.encode(errors="replace").decode()
    assert partitioner.partition_of(encoded.encode(), partitions) == partition_of(encoded, partitions)


def test_order_id_tells_when_it_was_made() -> None:
    made_ms = 1_795_697_874_293
    order = str(uuid.UUID(int=made_ms << 80 | 7 << 76 | 2 << 62 | 5))
    assert earliest_ms(order) == made_ms - CLOCKS_DIFFER_MS
    assert earliest_ms(str(uuid.uuid4())) is None
    assert earliest_ms("no id") is None


def test_position_is_read_as_it_was_written() -> None:
    assert parse(write({1: 98, 0: 120})) == {0: 120, 1: 98}
    for text in ("", "x", "0:", "0:1,", "0:1;1:2", "٣:1", "-1:2"):
        with pytest.raises(UnreadablePosition):
            parse(text)
