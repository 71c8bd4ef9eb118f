"""The table of positions: how far each partition has been applied. Who holds a row's lock may write its shard."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from projector.readmodel.placement import Log, Position, place
from projector.store.database import transaction

# In the order of the partitions, so that two instances never wait for each other.
_LOCK = sa.text(
    """
    SELECT partition, topic_id, next_offset, skipped, recreated FROM projection.positions
    WHERE partition = ANY(:partitions) ORDER BY partition FOR UPDATE
    """
)
_LOCK_ALL = sa.text("SELECT partition FROM projection.positions ORDER BY partition FOR UPDATE")
_ALL = sa.text("SELECT partition, topic_id, next_offset, skipped, recreated FROM projection.positions")
_PUT = sa.text(
    """
    INSERT INTO projection.positions (partition, topic_id, next_offset, skipped, recreated)
    VALUES (:partition, :topic_id, :next_offset, :skipped, :recreated)
    ON CONFLICT (partition) DO UPDATE SET
        topic_id = excluded.topic_id, next_offset = excluded.next_offset,
        skipped = excluded.skipped, recreated = excluded.recreated
    """
)
_TALLY = sa.text(
    """
    UPDATE projection.positions AS known SET
        next_offset = coalesce(new.next_offset, known.next_offset), events = known.events + new.events,
        repeats = known.repeats + new.repeats, ignored = known.ignored + new.ignored
    FROM unnest(
        CAST(:partitions AS integer[]), CAST(:next_offsets AS bigint[]), CAST(:events AS bigint[]),
        CAST(:repeats AS bigint[]), CAST(:ignored AS bigint[])
    ) AS new (partition, next_offset, events, repeats, ignored)
    WHERE known.partition = new.partition
    """
)


class Tally(NamedTuple):
    """What became of messages of a partition. next_offset: where to go on, None to leave it as it is."""

    next_offset: int | None
    events: int
    repeats: int = 0
    ignored: int = 0


def lock(connection: sa.Connection, partitions: Iterable[int]) -> dict[int, Position]:
    """Lock the rows of these partitions until the transaction ends, and return them."""
    rows = connection.execute(_LOCK, {"partitions": sorted(partitions)})
    return {row.partition: Position(*row[1:]) for row in rows}


def all_of(connection: sa.Connection) -> dict[int, Position]:
    """Return the whole table."""
    return {row.partition: Position(*row[1:]) for row in connection.execute(_ALL)}


def lock_all(connection: sa.Connection) -> None:
    """Wait until no instance is applying a batch, and keep all of them from it until the transaction ends."""
    connection.execute(_LOCK_ALL)


def find_places(
    engine: sa.Engine, topic_id: str, logs: Mapping[int, Log]
) -> dict[int, tuple[Position | None, Position]]:
    """Store from where each partition is to be read, and return the positions before and after.

    Raises DatabaseUnavailable.
    """
    with transaction(engine) as connection:
        stored = lock(connection, logs)
        found = {p: (stored.get(p), place(stored.get(p), topic_id, log)) for p, log in logs.items()}
        put(connection, {p: new for p, (old, new) in found.items() if old != new})
        return found


def put(connection: sa.Connection, moved: Mapping[int, Position]) -> None:
    """Store positions."""
    rows = [
        {
            "partition": p,
            "topic_id": new.topic_id,
            "next_offset": new.next_offset,
            "skipped": new.skipped,
            "recreated": new.recreated,
        }
        for p, new in sorted(moved.items())
    ]
    if rows:
        connection.execute(_PUT, rows)


def add(connection: sa.Connection, tallies: Mapping[int, Tally]) -> None:
    """Move positions on and add to their counters, by partition."""
    if not tallies:
        return
    next_offsets, events, repeats, ignored = map(list, zip(*tallies.values(), strict=True))
    columns = {"next_offsets": next_offsets, "events": events, "repeats": repeats, "ignored": ignored}
    connection.execute(_TALLY, {"partitions": list(tallies), **columns})
