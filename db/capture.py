"""The replication slot from which Debezium reads the outbox: made before the first order, and dropped without a reader.

A slot makes PostgreSQL keep its log until the slot's reader has it. So there is one only where PUBLISHER=debezium: left
behind, it would fill the disk up to max_slot_wal_keep_size.
"""

import logging

import sqlalchemy as sa

logger = logging.getLogger(__name__)

# A new slot waits for the transactions that are running.
CREATE_S = 30

EXISTING = sa.text(
    "SELECT active FROM pg_replication_slots WHERE slot_name = :slot AND database = current_database()"
)


class NoLogicalDecoding(Exception):
    """PostgreSQL's log does not have what Debezium reads; the message says what to do."""


def prepare(engine: sa.Engine, publisher: str, slot: str) -> None:
    """Make the slot if this publisher reads it; otherwise drop it, unless it is being read.

    Raises NoLogicalDecoding."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        active = connection.execute(EXISTING, {"slot": slot}).scalar()
        if publisher == "debezium" and active is None:
            _create(connection, slot)
        elif publisher != "debezium" and active is False:
            connection.execute(sa.text("SELECT pg_drop_replication_slot(:slot)"), {"slot": slot})
        elif publisher != "debezium" and active:
            logger.warning(
                "The replication slot %s is being read: stop Kafka Connect to have it dropped", slot
            )


def _create(connection: sa.Connection, slot: str) -> None:
    level = connection.execute(sa.text("SHOW wal_level")).scalar_one()
    if level != "logical":
        raise NoLogicalDecoding(
            f"PUBLISHER=debezium needs wal_level=logical, and this PostgreSQL has wal_level={level}: "
            "ALTER SYSTEM SET wal_level = logical, then restart PostgreSQL."
        )
    connection.execute(sa.text(f"SET statement_timeout = '{CREATE_S}s'"))
    connection.execute(
        sa.text("SELECT pg_create_logical_replication_slot(:slot, 'pgoutput', failover => true)"),
        {"slot": slot},
    )
