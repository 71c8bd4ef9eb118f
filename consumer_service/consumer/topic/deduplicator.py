"""Recognises events that were delivered before: at-least-once delivery means that any event may come again."""

from collections import OrderedDict

from consumer.topic.events import OrderEvent


class Deduplicator:
    """Remembers the highest version seen of each order, for the orders touched last."""

    def __init__(self, max_orders: int) -> None:
        self._max_orders = max_orders
        self._seen: OrderedDict[str, int] = OrderedDict()

    def is_duplicate(self, event: OrderEvent) -> bool:
        """Return whether the event's version is not above the highest seen of its order; remember it if it is."""
        duplicate = event.version <= self._seen.get(event.subject, 0)
        if not duplicate:
            self._seen[event.subject] = event.version
        self._seen.move_to_end(event.subject)
        if len(self._seen) > self._max_orders:
            self._seen.popitem(last=False)
        return duplicate

    def forget(self) -> None:
        """Forget everything: the next events are of another topic."""
        self._seen.clear()
