from consumer.topic.deduplicator import Deduplicator
from consumer.topic.events import OrderEvent


def event(order: str, version: int = 1) -> OrderEvent:
    return OrderEvent(f"{order}-{version}", "order.placed", order, version)


def test_deduplicator_accepts_only_a_higher_version_of_an_order() -> None:
    deduplicator = Deduplicator(max_orders=10)
    versions = [("a", 1), ("a", 1), ("a", 2), ("b", 1), ("a", 1), ("a", 2)]
    duplicates = [deduplicator.is_duplicate(event(*each)) for each in versions]
    assert duplicates == [False, True, False, False, True, True]


def test_deduplicator_remembers_only_the_orders_touched_last() -> None:
    deduplicator = Deduplicator(max_orders=2)
    duplicates = [deduplicator.is_duplicate(event(order)) for order in ("a", "b", "a", "c", "a", "b")]
    assert duplicates == [False, False, True, False, True, False]


def test_deduplicator_accepts_every_version_after_forget() -> None:
    deduplicator = Deduplicator(max_orders=2)
    deduplicator.is_duplicate(event("a", 2))
    deduplicator.forget()
    assert not deduplicator.is_duplicate(event("a", 1))
