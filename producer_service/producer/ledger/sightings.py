"""All events that were seen in the topic, sorted by order, on disk and in little memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from producer.ledger.sighting import Sighting, half_of

CACHE_KIB = 16 * 1024


class Missing(NamedTuple):
    """An event that was committed and is nowhere.

    since_ms: from when on, in ms, it can have been published. event: `half_of` its id, where that is known.
    """

    order_id: bytes
    version: int
    since_ms: int
    event: int | None = None


class Seen(NamedTuple):
    """One occurrence of an event of an order. event: `half_of` the event's id."""

    version: int
    event: int


class Sightings:
    """A private database without a name in the temporary folder (TMPDIR). It is gone with the process.

    About 60 bytes on disk for each event while they are sorted; CACHE_KIB of memory.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(
            f"""
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA temp_store = FILE;
            PRAGMA cache_size = -{CACHE_KIB};
            CREATE TABLE seen (order_id BLOB, version INTEGER, event INTEGER, epoch INTEGER);
            CREATE TABLE later (
                order_id BLOB, version INTEGER, event INTEGER, PRIMARY KEY (order_id, version, event)
            ) WITHOUT ROWID;
            CREATE TABLE missing (order_id BLOB, version INTEGER, since_ms INTEGER, event INTEGER);
            """
        )

    def add(self, sightings: Iterable[Sighting]) -> None:
        """Keep events in the sequence of the topic."""
        self._write(
            "INSERT INTO seen VALUES (?, ?, ?, ?)",
            ((each.order_id, each.version, half_of(each.event_id), each.epoch) for each in sightings),
        )

    def add_later(self, sightings: Iterable[Sighting]) -> None:
        """Keep events that came after the orders were looked at: they only say what is not missing."""
        self._write(
            "INSERT OR IGNORE INTO later VALUES (?, ?, ?)",
            ((each.order_id, each.version, half_of(each.event_id)) for each in sightings),
        )

    def add_missing(self, missing: Iterable[Missing]) -> None:
        """Keep the events that were neither seen nor in the outbox, sorted by order and version."""
        self._write("INSERT INTO missing VALUES (?, ?, ?, ?)", missing)

    def by_order(self) -> Iterator[tuple[bytes, list[Seen]]]:
        """Iterate over the orders, sorted by id, with what was seen of each in the sequence of the topic."""
        rows = self._database.execute(
            "SELECT order_id, version, event FROM seen ORDER BY order_id, epoch, rowid"
        )
        for order_id, group in groupby(rows, itemgetter(0)):
            yield order_id, [Seen(version, event) for _, version, event in group]

    def count_missing(self) -> int:
        """Return how many events are to be called missing unless they have been seen after all."""
        return int(self._database.execute("SELECT count(*) FROM missing").fetchone()[0])

    def missing(self) -> Iterator[tuple[Missing, bool]]:
        """Iterate over the events to be called missing, each with whether it has been seen after all."""
        rows = self._database.execute(
            """
            SELECT order_id, version, since_ms, event, EXISTS (
                SELECT 1 FROM later WHERE later.order_id = missing.order_id AND later.version = missing.version
                AND (missing.event IS NULL OR later.event = missing.event)
            )
            FROM missing ORDER BY missing.rowid
            """
        )
        for *missing, was_seen in rows:
            yield Missing(*missing), bool(was_seen)

    def close(self) -> None:
        """Delete everything."""
        self._database.close()

    def _write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, rows)
        self._database.execute("COMMIT")
