from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from projector.readmodel.batch import Batch, Slice
from tests.order_events import Told
from tests.unit.projector.messages import TOPIC_ID, batch, log_of, message


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) >= 2))
def test_halves_are_smaller_and_follow_each_other(sizes: list[int]) -> None:
    logs = [log_of(p, [Told(UUID(int=n)) for n in range(size)]) for p, size in enumerate(sizes)]
    whole = Batch(TOPIC_ID, {p: Slice(0, len(log) + 2, log) for p, log in enumerate(logs)})
    first, second = whole.halves()
    assert 0 < first.size < whole.size
    assert first.size + second.size == whole.size
    for partition, each in whole.slices.items():
        parts = [half.slices[partition] for half in (first, second) if partition in half.slices]
        assert parts[0].begin == each.begin
        assert parts[-1].end == each.end
        assert all(one.end == other.begin for one, other in pairwise(parts))
        assert [m for part in parts for m in part.messages] == list(each.messages)


def test_refused_batch_keeps_its_place_and_is_marked() -> None:
    refused = batch(message(Told(UUID(int=1)), 2, 7)).refused("too long")
    [marked] = refused.slices[2].messages
    assert (marked.error, marked.event, marked.offset) == ("too long", None, 7)
    assert marked.order_id == str(UUID(int=1))
