"""The live viewers: those that want everything, and the others, found by what they want.

A thousand viewers may each follow an order of their own. Asking each of their filters about each event would cost as
much as a thousand times the fan-out, so they are indexed: an event costs two lookups, however many filters there are,
and from there on only viewers that want it are touched."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from consumer.fanout.client import Client
from consumer.fanout.filter import EVERYTHING, Filter
from consumer.ring.types import Event


class LiveClients:
    """A set of clients. unfiltered: those that want everything."""

    def __init__(self) -> None:
        self.unfiltered: set[Client] = set()
        self._filtered = 0
        self._by_filter: dict[Filter, set[Client]] = {}
        self._by_order: defaultdict[str, set[Filter]] = defaultdict(set)
        self._by_type: defaultdict[str, set[Filter]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self.unfiltered) + self._filtered

    def __contains__(self, client: object) -> bool:
        return isinstance(client, Client) and client in self._same_filter(client.viewer.filter)

    def __iter__(self) -> Iterator[Client]:
        return iter([*self.unfiltered, *self.filtered()])

    def filtered(self) -> list[Client]:
        """Return the clients that do not want everything."""
        return [client for clients in self._by_filter.values() for client in clients]

    def add(self, client: Client) -> None:
        """Add a client, which is found by its viewer's filter from now on."""
        wanted = client.viewer.filter
        if wanted != EVERYTHING and wanted not in self._by_filter:
            self._by_filter[wanted] = set()
            for index, key in self._places(wanted):
                index[key].add(wanted)
        if client not in (same := self._same_filter(wanted)):
            same.add(client)
            self._filtered += wanted != EVERYTHING

    def discard(self, client: Client) -> None:
        """Remove a client if it is here; its filter is forgotten with the last client that has it."""
        wanted = client.viewer.filter
        clients = self._same_filter(wanted)
        if client not in clients:
            return
        clients.remove(client)
        self._filtered -= wanted != EVERYTHING
        if wanted in self._by_filter and not clients:
            del self._by_filter[wanted]
            for index, key in self._places(wanted):
                index[key].discard(wanted)
                if not index[key]:
                    del index[key]

    def wanting(self, events: Iterable[Event]) -> Iterator[tuple[list[Client], list[bytes]]]:
        """Yield, for each filter that some events pass, the clients that have it and the events' payloads."""
        wanted: defaultdict[Filter, list[bytes]] = defaultdict(list)
        if self._by_filter:
            for event in events:
                for found in (self._by_order.get(event.subject, ()), self._by_type.get(event.type, ())):
                    for candidate in found:
                        if candidate.passes(event):
                            wanted[candidate].append(event.payload)
        for key, payloads in wanted.items():
            yield list(self._by_filter[key]), payloads

    def _same_filter(self, wanted: Filter) -> set[Client]:
        return self.unfiltered if wanted == EVERYTHING else self._by_filter.get(wanted, set())

    def _places(self, wanted: Filter) -> Iterator[tuple[defaultdict[str, set[Filter]], str]]:
        """Yield where a filter is indexed: by its order, which few events have, or else by each of its types."""
        if wanted.order:
            yield self._by_order, wanted.order
        else:
            for kind in wanted.types:
                yield self._by_type, kind
