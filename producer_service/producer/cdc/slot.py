"""The replication slot: how much of PostgreSQL's log it holds, whether somebody reads it, and how it is made."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

MEGABYTE = 1 << 20

# Everybody may read both. `max_slot_wal_keep_size` is in megabytes, -1 without a limit.
STATE = sa.text(
    """
    SELECT active, wal_status = 'lost' OR invalidation_reason IS NOT NULL AS lost, invalidation_reason AS reason,
        pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS kept,
        pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint AS "end",
        pg_wal_lsn_diff(confirmed_flush_lsn, '0/0')::bigint AS confirmed,
        (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS limit_mb
    FROM pg_replication_slots WHERE slot_name = :slot
    """
)
# As in db/capture.py. `failover`: a standby that synchronizes slots has it too.
CREATE = sa.text("SELECT pg_create_logical_replication_slot(:slot, 'pgoutput', failover => true)")
DROP = sa.text("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = :slot")
WAL_LEVEL = sa.text("SHOW wal_level")


@dataclass(frozen=True)
class SlotState:
    """active: somebody reads it. kept: bytes of the log that PostgreSQL keeps for it. end: where the log ends.
    limit: how many bytes are kept at most; None without a limit. confirmed: how far the reader says that what it has
    read is in Kafka."""

    active: bool
    lost: bool
    reason: str
    kept: int
    end: int
    limit: int | None
    confirmed: int = 0


class SlotUnavailable(Exception):
    """The slot cannot be looked at or made; the message says why and what to do."""


@dataclass(frozen=True)
class ReplicationSlot:
    """The slot of one name. engine: one of the role that may replicate, with isolation_level="AUTOCOMMIT".

    Every method raises SlotUnavailable."""

    engine: sa.Engine
    name: str

    def state(self) -> SlotState | None:
        """Return how the slot is, or None when there is none."""
        rows = self._run(STATE)
        if not rows:
            return None
        row = rows[0]
        limit = row.limit_mb * MEGABYTE if row.limit_mb >= 0 else None
        return SlotState(
            row.active, bool(row.lost), row.reason or "", row.kept or 0, row.end, limit, row.confirmed or 0
        )

    def create(self) -> None:
        """Make the slot anew: what it has not given to anybody before is the relay's."""
        (level,) = self._run(WAL_LEVEL)[0]
        if level != "logical":
            raise SlotUnavailable(
                f"Debezium needs wal_level=logical, and this PostgreSQL has wal_level={level}: "
                "ALTER SYSTEM SET wal_level = logical, then restart PostgreSQL."
            )
        self._run(DROP)
        self._run(CREATE)

    def _run(self, statement: sa.TextClause) -> list[sa.Row]:  # type: ignore[type-arg]
        names = {"slot": self.name} if ":slot" in statement.text else {}
        try:
            with self.engine.connect() as connection:
                return list(connection.execute(statement, names).all())
        except SQLAlchemyError as error:
            raise SlotUnavailable(f"PostgreSQL: {str(error).splitlines()[0]}") from error
