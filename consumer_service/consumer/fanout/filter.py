"""Which events a viewer wants."""

from collections.abc import Iterable
from typing import NamedTuple

from consumer.ring.types import Event

MAX_TYPES = 10
MAX_LENGTH = 200  # as the longest type or subject that an event may have


class UnreadableFilter(ValueError):
    """The filter's form is wrong: no event could ever pass it."""


class Filter(NamedTuple):
    """types: pass only events of these; all when empty. order: pass only events of this order; of all when empty."""

    types: frozenset[str] = frozenset()
    order: str = ""

    @classmethod
    def parse(cls, types: Iterable[str], order: str) -> "Filter":
        """Read a filter from parameters of a query. Raises UnreadableFilter."""
        wanted = frozenset(filter(None, types))
        if len(wanted) > MAX_TYPES or any(len(text) > MAX_LENGTH for text in (*wanted, order)):
            raise UnreadableFilter
        if not all(kind == "test.event" or kind.startswith("order.") for kind in wanted):
            raise UnreadableFilter
        return cls(wanted, order)

    def passes(self, event: Event) -> bool:
        """Return whether the viewer wants the event."""
        return (not self.types or event.type in self.types) and self.order in ("", event.subject)


EVERYTHING = Filter()
