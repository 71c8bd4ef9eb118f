"""The viewers that asked for figures, and which of them lack the newest.

Only the newest figures matter. A viewer whose socket is full gets them when it has room, and never those in between."""

from collections.abc import Iterable

from consumer.fanout import sse
from consumer.fanout.client import Client
from consumer.ring.stats import LatestStats


class StatsViewers:
    """A set of clients. Whoever has not asked costs nothing here."""

    def __init__(self, latest: LatestStats) -> None:
        self._latest = latest
        self._number = 0
        self._block = b""
        self._all: set[Client] = set()
        self._owed: set[Client] = set()

    def add(self, client: Client) -> None:
        """Add a client, to which the newest figures are due at once."""
        self._all.add(client)
        self._owed.add(client)

    def discard(self, client: Client) -> None:
        """Remove a client if it is here."""
        self._all.discard(client)
        self._owed.discard(client)

    def take(self) -> tuple[bytes, Iterable[Client]]:
        """Return the newest figures as a block, and those to whom they are to be sent now: each gets them once."""
        if self._all and self._latest.number != self._number:
            self._number, stats = self._latest.get()
            self._block = sse.stats(stats.payload) if stats else b""
            self._owed = set(self._all)
        if not self._owed or not self._block:
            return b"", ()
        due = [client for client in self._owed if not client.has_rest]
        self._owed.difference_update(due)
        return self._block, due
