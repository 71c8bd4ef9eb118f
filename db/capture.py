"""The replication slot from which Debezium reads the outbox: made before the first order, and dropped without a reader.

A slot makes PostgreSQL keep its log until the slot's reader has it. So there is one only where PUBLISHER=debezium: left
behind, it would fill the disk up to max_slot_wal_keep_size.
"""

import logging
import threading
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

logger = logging.getLogger(__name__)

# A new slot waits for the transactions that are running.
CREATE_S = 30
# A reader that has been stopped a moment ago may still be there.
LEAVES_S, LOOK_EVERY_S = 10, 0.5
NOBODY_ENDS_IT = threading.Event()

EXISTING = sa.text(
    "SELECT active FROM pg_replication_slots WHERE slot_name = :slot AND database = current_database()"
)


class NoLogicalDecoding(Exception):
    """PostgreSQL's log does not have what Debezium reads; the message says what to do."""


def prepare(
    engine: sa.Engine, publisher: str, slot: str, pause: Callable[[float], object] = NOBODY_ENDS_IT.wait
) -> None:
    """Make the slot if this publisher reads it; otherwise drop it, unless it is being read.

    Whatever else keeps it from that is only told: orders are taken without a slot, and the keeper makes one later.

    Raises NoLogicalDecoding."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            if publisher == "debezium":
                _create(connection, slot)
            else:
                _drop(connection, slot, pause)
        except DBAPIError as error:
            logger.warning("The replication slot %s stays as it is: %s", slot, str(error.orig).strip())


def _is_active(connection: sa.Connection, slot: str) -> bool | None:
    active: bool | None = connection.execute(EXISTING, {"slot": slot}).scalar()
    return active


def _drop(connection: sa.Connection, slot: str, pause: Callable[[float], object]) -> None:
    for _ in range(int(LEAVES_S / LOOK_EVERY_S)):
        if not (active := _is_active(connection, slot)):
            break
        pause(LOOK_EVERY_S)
    if active:
        logger.warning("The replication slot %s is being read: stop Kafka Connect to have it dropped", slot)
    elif active is False:
        connection.execute(sa.text("SELECT pg_drop_replication_slot(:slot)"), {"slot": slot})


def _create(connection: sa.Connection, slot: str) -> None:
    if _is_active(connection, slot) is not None:
        return
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
