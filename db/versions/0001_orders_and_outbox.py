"""Create the orders, and the outbox that holds each event until it has been read back from Kafka.

The CHECKs repeat what the API validates. `numeric > 0` alone accepts NaN, so amounts have an upper bound too.
The outbox's column names are the defaults of Debezium's outbox event router.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE orders (
            id            uuid PRIMARY KEY,
            customer_name text NOT NULL CHECK (char_length(customer_name) BETWEEN 1 AND 100),
            item          text NOT NULL CHECK (char_length(item) BETWEEN 1 AND 200),
            description   text NOT NULL CHECK (char_length(description) <= 1000),
            unit_price    numeric(12, 2) NOT NULL CHECK (unit_price > 0 AND unit_price <= 9999999999.99),
            quantity      integer NOT NULL CHECK (quantity BETWEEN 1 AND 10000),
            total         numeric(18, 2) NOT NULL GENERATED ALWAYS AS (unit_price * quantity) STORED,
            status        text NOT NULL
                          CHECK (status IN ('placed', 'confirmed', 'shipped', 'delivered', 'cancelled')),
            version       integer NOT NULL CHECK (version >= 1),
            created_at    timestamptz NOT NULL,
            updated_at    timestamptz NOT NULL
        )
        """
    )
    # For the list of orders with a status, newest first: a UUID v7 begins with its time, so ids sort by it.
    op.execute("CREATE INDEX orders_status_id ON orders (status, id)")
    op.execute(
        """
        CREATE TABLE outbox (
            id            uuid PRIMARY KEY,
            aggregatetype text NOT NULL,
            aggregateid   uuid NOT NULL,
            type          text NOT NULL,
            payload       text NOT NULL,
            version       integer NOT NULL CHECK (version >= 1),
            direct        boolean NOT NULL,
            created_at    timestamptz NOT NULL DEFAULT now(),
            due_at        timestamptz NOT NULL,
            attempts      integer NOT NULL DEFAULT 0,
            parked_at     timestamptz,
            parked_reason text
        )
        """
    )
    # Before every publish, the outbox is searched for an earlier version of the same order.
    op.execute("CREATE UNIQUE INDEX outbox_aggregateid_version ON outbox (aggregateid, version)")
    op.execute("CREATE INDEX outbox_due_at ON outbox (due_at) WHERE parked_at IS NULL")
    # Rows live for seconds, so vacuum after a number of dead rows: the table is mostly empty, and a share of
    # its size says nothing.
    op.execute(
        "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)"
    )


def downgrade() -> None:
    op.execute("DROP TABLE outbox")
    op.execute("DROP TABLE orders")
