"""What the session relies on, asked of the read models in memory and of those in PostgreSQL alike.

A subclass has the fixture `shelf`: empty read models."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from projector.readmodel.batch import Batch, Slice
from projector.readmodel.placement import Log, Position
from projector.topic.session import Store
from tests.order_events import TEST_EVENT, Sums, Told, sums
from tests.unit.projector.messages import TOPIC_ID, batch, log_of, message

ONE, TWO = Told(UUID(int=1)), Told(UUID(int=2), item="Mug")
LOGS = {0: Log(0, 100), 1: Log(0, 100)}


@dataclass(frozen=True)
class Shelf:
    """A store, and how to look into it."""

    store: Store
    sums: Callable[[], Sums]


class StoreContract:
    """The suite; pytest collects it where a subclass is called Test…"""

    @pytest.fixture
    def shelf(self) -> Shelf:
        raise NotImplementedError

    def test_position_is_kept(self, shelf: Shelf) -> None:
        assert shelf.store.find_places(TOPIC_ID, LOGS) == {p: (None, Position(TOPIC_ID, 0)) for p in LOGS}
        shelf.store.apply(batch(*log_of(0, [ONE, TWO])))
        stored = Position(TOPIC_ID, 2)
        assert shelf.store.find_places(TOPIC_ID, {0: Log(0, 100)}) == {0: (stored, stored)}
        moved = Position(TOPIC_ID, 7, skipped=5)
        assert shelf.store.find_places(TOPIC_ID, {0: Log(7, 100)}) == {0: (stored, moved)}
        again = Position("topic-2", 0, skipped=5, recreated=1)
        assert shelf.store.find_places("topic-2", {0: Log(0, 100)}) == {0: (moved, again)}

    def test_each_version_is_counted_once(self, shelf: Shelf) -> None:
        shelf.store.find_places(TOPIC_ID, LOGS)
        confirmed = replace(ONE, version=2, status="confirmed")
        cancelled = replace(TWO, version=2, status="cancelled")
        told = [ONE, ONE, confirmed, ONE, TWO, cancelled]
        applied = shelf.store.apply(batch(*log_of(0, told)))
        assert (applied.next_offsets, applied.fenced, applied.parked) == ({0: 6}, set(), 0)
        shelf.store.apply(batch(*log_of(0, [confirmed, TWO], begin=6)))
        assert shelf.sums() == sums(told)

    def test_version_that_comes_late_counts_and_does_not_turn_the_order_back(self, shelf: Shelf) -> None:
        shelf.store.find_places(TOPIC_ID, LOGS)
        confirmed = replace(ONE, version=2, status="confirmed")
        shelf.store.apply(batch(*log_of(0, [confirmed])))
        shelf.store.apply(batch(*log_of(0, [ONE], begin=1)))
        assert shelf.sums() == sums([ONE, confirmed])

    def test_item_is_stored_as_it_is(self, shelf: Shelf) -> None:
        """Each alone, and all in one batch."""
        shelf.store.find_places(TOPIC_ID, LOGS)
        items = ['"Mug"', "\\", "a,b {c}", "NULL", " ", "It's", "%(x)s :y", "Tee\n2", "Krüge \U0001f37a"]
        told = [Told(UUID(int=number), item=item) for number, item in enumerate(items)]
        again = [Told(UUID(int=100 + number), item=item) for number, item in enumerate(items)]
        for number, each in enumerate(told):
            shelf.store.apply(batch(message(each, 0, number)))
        shelf.store.apply(batch(*log_of(1, again)))
        assert shelf.sums() == sums([*told, *again])

    def test_slice_that_does_not_begin_at_the_stored_position_is_fenced_and_no_other(
        self, shelf: Shelf
    ) -> None:
        shelf.store.find_places(TOPIC_ID, LOGS)
        shelf.store.apply(batch(*log_of(0, [ONE])))
        for begin in (0, 2):
            late = message(replace(ONE, version=3, status="shipped"), 0, begin)
            other = message(replace(TWO, version=begin + 1), 1, begin // 2)
            applied = shelf.store.apply(batch(late, other))
            assert (applied.fenced, set(applied.next_offsets)) == ({0}, {1})
        assert shelf.sums() == sums([ONE, TWO, replace(TWO, version=3)])

    def test_batch_of_another_topic_or_of_an_unknown_partition_is_fenced(self, shelf: Shelf) -> None:
        assert shelf.store.apply(batch(message(ONE))).fenced == {0}
        shelf.store.find_places(TOPIC_ID, LOGS)
        assert shelf.store.apply(batch(message(ONE), topic_id="topic-2")).fenced == {0}
        assert shelf.sums() == sums([])

    def test_position_moves_over_offsets_without_a_message(self, shelf: Shelf) -> None:
        shelf.store.find_places(TOPIC_ID, LOGS)
        shelf.store.apply(Batch(TOPIC_ID, {0: Slice(0, 5, [message(ONE, 0, 3)])}))
        assert shelf.store.apply(Batch(TOPIC_ID, {0: Slice(5, 9)})).next_offsets == {0: 9}
        assert shelf.sums() == sums([ONE])

    def test_parked_order_stays_parked_over_batches(self, shelf: Shelf) -> None:
        shelf.store.find_places(TOPIC_ID, LOGS)
        unreadable = message(b"{", 0, 1, key=ONE.key)
        assert shelf.store.apply(batch(message(ONE, 0, 0), unreadable)).parked == 1
        later = replace(ONE, version=2, status="confirmed")
        applied = shelf.store.apply(
            batch(message(later, 0, 2), message(TEST_EVENT, 0, 3), message(TWO, 0, 4))
        )
        assert applied.parked == 1
        assert shelf.sums() == sums([ONE, TWO])
