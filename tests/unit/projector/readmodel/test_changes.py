"""The figures do not depend on how events reach us: in which batches, how often, in which order."""

from dataclasses import replace
from itertools import chain
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from projector.readmodel.batch import Batch
from projector.readmodel.placement import Log
from tests.order_events import Told, orders, sums
from tests.unit.projector.fake_store import FakeStore
from tests.unit.projector.messages import TOPIC_ID, batch, log_of, message

PARTITIONS = 3


def opened(end: int = 0) -> FakeStore:
    store = FakeStore()
    store.find_places(TOPIC_ID, {p: Log(0, end) for p in range(PARTITIONS)})
    return store


@st.composite
def topics(draw: st.DrawFn) -> list[list[Told]]:
    """Draw the logs of some partitions: each order in one, its events in order at first, and repeats at any place."""
    logs: list[list[Told]] = [[] for _ in range(PARTITIONS)]
    for number, order in enumerate(orders(draw(st.integers(0, 8)), seed=draw(st.integers(0, 1000)))):
        logs[number % PARTITIONS] += order
    for log in logs:
        for repeat in draw(st.lists(st.sampled_from(log), max_size=5)) if log else []:
            log.insert(draw(st.integers(log.index(repeat), len(log))), repeat)
    return logs


@given(topics(), st.data())
@settings(max_examples=150)
def test_batches_of_any_size_delivered_any_number_of_times_count_each_version_once(
    logs: list[list[Told]], data: st.DataObject
) -> None:
    store = opened()
    written = [log_of(partition, log) for partition, log in enumerate(logs)]
    old: list[Batch] = []
    while left := [p for p in range(PARTITIONS) if store.positions[p].next_offset < len(written[p])]:
        chosen = data.draw(st.sets(st.sampled_from(left), min_size=1))
        begins = {p: store.positions[p].next_offset for p in chosen}
        ends = {p: data.draw(st.integers(begin + 1, len(written[p]))) for p, begin in begins.items()}
        new = batch(*chain.from_iterable(written[p][begins[p] : ends[p]] for p in sorted(chosen)))
        if old:  # a zombie's
            assert store.apply(data.draw(st.sampled_from(old))).next_offsets == {}
        assert store.apply(new).fenced == set()
        old.append(new)
    assert store.sums() == sums(chain.from_iterable(logs))


@given(st.lists(st.sampled_from(list(chain.from_iterable(orders(6, seed=1))))), st.data())
def test_versions_in_any_order_add_up_to_the_same(told: list[Told], data: st.DataObject) -> None:
    store = opened()
    for offset, each in enumerate(data.draw(st.permutations(told))):
        store.apply(batch(message(each, 0, offset)))
    assert store.sums() == sums(told)


@given(st.integers(1, 8), st.data())
def test_an_order_that_moves_to_another_partition_is_still_counted_once(
    seed: int, data: st.DataObject
) -> None:
    """As after the topic has got more partitions: a shard may fall below zero, the sum does not."""
    store, told = opened(), list(chain.from_iterable(orders(6, seed)))
    for each in told:
        partition = data.draw(st.integers(0, PARTITIONS - 1))
        store.apply(batch(message(each, partition, store.positions[partition].next_offset)))
    assert store.sums() == sums(told)


def test_total_that_changes_with_a_version_moves_with_it() -> None:
    store, first = opened(), Told(UUID(int=1))
    second = replace(first, version=2, status="confirmed", total=first.total * 2, item="Mug", quantity=5)
    store.apply(batch(*log_of(0, [first, second])))
    assert store.sums() == sums([first, second])
    assert store.sums().items == {"Mug": (1, 5, first.total * 2)}
