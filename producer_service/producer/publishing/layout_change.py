"""How the layout is changed: what is held meanwhile, and how to find out that nothing is on its way any more.

A change belongs to one run. Each of its statements fails once the hold of that run has ended, so a command that was
frozen in between changes nothing when it goes on.
"""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from producer.domain.layout import NoLayout
from producer.publishing.notify import CHANNEL

# How long the hold lasts when nobody renews it: a command that is killed holds up nothing for longer.
RELAYED_S = 15.0
STOPPED_S = 20.0
# A statement ends within DATABASE_S. So the hold has not ended for anybody when it was that long before its end.
DATABASE_S = 3.0
MARGIN_S = DATABASE_S + 1.0

# As the statements have it that ask whether it is held (layout.py), but earlier: a hold that has ended for anybody,
# also because the clock was set back, has ended for this run.
_STILL = f"BETWEEN clock_timestamp() + interval '{MARGIN_S} s' AND clock_timestamp() + interval '4 minutes'"

LOCK = sa.text("SELECT pg_try_advisory_lock(hashtextextended('layout', 0))")
PARTITIONS = sa.text("SELECT partitions FROM layout")
# From here on nobody goes by what Kafka's client believes: the number is given, the present one at first. Unless a run
# before this one, whose lock was lost with its connection, has changed it a moment ago.
RELAY_ONLY = sa.text(
    """
    UPDATE layout SET run = :run, partitions = :partitions, stopped_until = '-infinity',
        relayed_until = clock_timestamp() + make_interval(secs => :for_s)
    WHERE partitions IN (0, :partitions)
    """
)
KEEP = sa.text(
    f"""
    UPDATE layout SET relayed_until = clock_timestamp() + make_interval(secs => :for_s)
    WHERE run = :run AND relayed_until {_STILL}
    """
)
STOP = sa.text(
    f"""
    UPDATE layout SET relayed_until = clock_timestamp() + make_interval(secs => :for_s),
        stopped_until = clock_timestamp() + make_interval(secs => :for_s)
    WHERE run = :run AND relayed_until {_STILL}
    """
)
SWITCH = sa.text(
    f"""
    UPDATE layout SET run = NULL, partitions = :partitions, relayed_until = '-infinity', stopped_until = '-infinity'
    WHERE run = :run AND stopped_until {_STILL}
    """
)
RELEASE = sa.text(
    "UPDATE layout SET run = NULL, relayed_until = '-infinity', stopped_until = '-infinity' WHERE run = :run"
)

# Whoever permits a publish reads the layout, and so has the table locked until the end of the transaction, from before
# the statement's snapshot. A transaction that may have seen the layout of before is among these.
READERS = sa.text(
    """
    SELECT DISTINCT virtualtransaction FROM pg_locks
    WHERE relation = CAST('layout' AS regclass) AND mode = 'AccessShareLock' AND pid <> pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)
# A parked row has been refused, and one behind it was never handed to Kafka.
ON_THEIR_WAY = sa.text(
    """
    SELECT id::text FROM outbox AS waiting
    WHERE parked_at IS NULL AND NOT EXISTS (
        SELECT FROM outbox AS parked
        WHERE parked.aggregateid = waiting.aggregateid AND parked.version < waiting.version
            AND parked.parked_at IS NOT NULL
    )
    LIMIT :limit
    """
)
LEFT = sa.text(f"{ON_THEIR_WAY.text.replace('LIMIT :limit', '')} AND id = ANY(CAST(:ids AS uuid[])) LIMIT 1")
LOG_END = sa.text("SELECT pg_current_wal_lsn()::text")
# A slot that is lost counts as well: until it is made anew, with the connector stopped, something may be in its hands.
UNCAPTURED = sa.text(
    """
    SELECT EXISTS (
        SELECT FROM pg_replication_slots
        WHERE slot_name = :slot AND confirmed_flush_lsn < CAST(:log_end AS pg_lsn)
    )
    """
)
CLAIMED = sa.text("SELECT EXISTS (SELECT FROM outbox WHERE attempts > 0 AND parked_at IS NULL)")


class HoldEnded(Exception):
    """The hold on publishing has ended before the change was made: nothing was changed. Repeat the command."""

    def __str__(self) -> str:
        return self.__doc__ or ""


class LayoutChange:
    """The layout of one run. Every method raises SQLAlchemyError when the database does not answer.

    engine: made with isolation_level="AUTOCOMMIT". slot: through which Debezium reads PostgreSQL's log, if it does.
    """

    def __init__(self, engine: sa.Engine, run: UUID, slot: str):
        self._engine, self._run, self._slot = engine, run, slot
        self._lock: sa.Connection | None = None

    def take_turn(self) -> bool:
        """Return whether no other run is at work; until this one is closed, or has died, no other one is let in."""
        self._lock = self._engine.connect()
        return bool(self._lock.execute(LOCK).scalar_one())

    def close(self) -> None:
        """Let others in: the lock ends with its connection."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.invalidate()
            lock.close()

    def partitions(self) -> int:
        """Return by how many partitions events are published; 0: as many as Kafka's clients know. Raises NoLayout."""
        with self._engine.connect() as connection:
            found = connection.execute(PARTITIONS).scalar_one_or_none()
        if found is None:
            raise NoLayout
        return int(found)

    def relay_only(self, partitions: int) -> None:
        """From now on, only the relay publishes what is stored; by this number. Raises HoldEnded if it has changed."""
        self._update(RELAY_ONLY, partitions=partitions, for_s=RELAYED_S)

    def keep(self) -> None:
        """Put off the end of the hold. Raises HoldEnded."""
        self._update(KEEP, for_s=RELAYED_S)

    def stop(self) -> None:
        """From now on, nobody publishes what was not on its way before. Raises HoldEnded."""
        self._update(STOP, for_s=STOPPED_S)

    def switch(self, partitions: int) -> None:
        """Change the number, and end the hold. Raises HoldEnded."""
        self._update(SWITCH, partitions=partitions)
        with self._engine.connect() as connection:
            connection.execute(sa.text(f"NOTIFY {CHANNEL}"))

    def release(self) -> None:
        """End the hold of this run, if there is one, and leave the number as it is."""
        with self._engine.connect() as connection:
            connection.execute(RELEASE, {"run": self._run})
            connection.execute(sa.text(f"NOTIFY {CHANNEL}"))

    def readers(self) -> set[str]:
        """Return the transactions that have read the layout and have not ended."""
        with self._engine.connect() as connection:
            return set(connection.execute(READERS).scalars())

    def on_their_way(self, limit: int) -> list[str]:
        """Return events that may be on their way to Kafka, up to so many."""
        with self._engine.connect() as connection:
            return list(connection.execute(ON_THEIR_WAY, {"limit": limit}).scalars())

    def are_read_back(self, ids: Sequence[str]) -> bool:
        """Return whether none of these events may be on its way any more."""
        with self._engine.connect() as connection:
            return connection.execute(LEFT, {"ids": "{" + ",".join(ids) + "}"}).first() is None

    def log_end(self) -> str:
        """Return how far PostgreSQL's log goes."""
        with self._engine.connect() as connection:
            return str(connection.execute(LOG_END).scalar_one())

    def is_captured(self, log_end: str) -> bool:
        """Return whether Debezium has published what PostgreSQL's log has up to there, or does not read it at all."""
        values = {"slot": self._slot, "log_end": log_end}
        with self._engine.connect() as connection:
            return not connection.execute(UNCAPTURED, values).scalar_one()

    def has_claimed(self) -> bool:
        """Return whether any event may be on its way that a relay has claimed."""
        with self._engine.connect() as connection:
            return bool(connection.execute(CLAIMED).scalar_one())

    def _update(self, statement: sa.TextClause, **values: object) -> None:
        with self._engine.connect() as connection:
            if connection.execute(statement, {"run": self._run, **values}).rowcount != 1:
                raise HoldEnded
