"""Create the projector's read models: what the events on the topic add up to, and how far they have been read.

The position of each partition stands beside the state it led to, so that both change in one transaction. Counters
are sharded by partition: instances that read different partitions never write the same row, and sums are right
whichever shard an event was counted in.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = (
    # next_offset: of the first message that is not applied yet. events: applied, each version of an order once.
    # repeats, ignored: messages that changed nothing. skipped: offsets that retention had taken before they were read.
    # recreated: how often the topic was found to be another one, whose offsets begin anew.
    """
    CREATE TABLE projection.positions (
        partition   integer PRIMARY KEY CHECK (partition >= 0),
        topic_id    text NOT NULL,
        next_offset bigint NOT NULL CHECK (next_offset >= 0),
        events      bigint NOT NULL DEFAULT 0,
        repeats     bigint NOT NULL DEFAULT 0,
        ignored     bigint NOT NULL DEFAULT 0,
        skipped     bigint NOT NULL DEFAULT 0,
        recreated   integer NOT NULL DEFAULT 0
    )
    """,
    # Every version of every order, once: this table decides whether an event counts. partition and offset: where
    # the event was first read.
    """
    CREATE TABLE projection.timeline (
        order_id  uuid NOT NULL,
        version   bigint NOT NULL CHECK (version >= 1),
        status    text NOT NULL,
        time      timestamptz NOT NULL,
        partition integer NOT NULL,
        "offset"  bigint NOT NULL,
        PRIMARY KEY (order_id, version)
    )
    """,
    """
    CREATE TABLE projection.orders (
        order_id uuid PRIMARY KEY,
        version  bigint NOT NULL CHECK (version >= 1),
        status   text NOT NULL,
        item     text NOT NULL,
        quantity integer NOT NULL,
        total    numeric(18, 2) NOT NULL
    )
    """,
    # Orders by their present status. Rows change by differences; a shard alone may be below zero once the topic has
    # more partitions, the sum of all shards never is.
    """
    CREATE TABLE projection.totals (
        partition integer,
        status    text,
        orders    bigint NOT NULL,
        amount    numeric(24, 2) NOT NULL,
        PRIMARY KEY (partition, status)
    )
    """,
    # Events by the minute they happened in. amount: the totals of their orders.
    """
    CREATE TABLE projection.minutes (
        partition integer,
        minute    timestamptz,
        status    text,
        events    bigint NOT NULL,
        amount    numeric(24, 2) NOT NULL,
        PRIMARY KEY (partition, minute, status)
    )
    """,
    # Orders that are not cancelled, by what was ordered.
    """
    CREATE TABLE projection.items (
        partition integer,
        item      text,
        orders    bigint NOT NULL,
        quantity  bigint NOT NULL,
        amount    numeric(24, 2) NOT NULL,
        PRIMARY KEY (partition, item)
    )
    """,
    # What could not be read or applied, and the later events of the same orders. order_id: NULL when not even the
    # key tells which order it is. published_at: when it was on the topic for dead letters, too.
    """
    CREATE TABLE projection.dead_letters (
        id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic_id     text NOT NULL,
        partition    integer NOT NULL,
        "offset"     bigint NOT NULL,
        order_id     uuid,
        key          bytea,
        value        bytea,
        time         timestamptz NOT NULL,
        error        text NOT NULL,
        parked_at    timestamptz NOT NULL DEFAULT now(),
        published_at timestamptz,
        discarded_at timestamptz,
        UNIQUE (topic_id, partition, "offset")
    )
    """,
)


def upgrade() -> None:
    op.execute("CREATE SCHEMA projection")
    for table in TABLES:
        op.execute(table)
    # Both are almost always empty, and asked for with every batch.
    op.execute(
        "CREATE INDEX dead_letters_parked ON projection.dead_letters (order_id) WHERE discarded_at IS NULL"
    )
    op.execute(
        "CREATE INDEX dead_letters_unpublished ON projection.dead_letters (id) WHERE published_at IS NULL"
    )
    # For the latest minutes over all partitions.
    op.execute("CREATE INDEX minutes_minute ON projection.minutes (minute)")
    # A few rows that every batch updates: vacuum by their number, and leave room to update them in place.
    for table in ("positions", "totals", "minutes"):
        op.execute(
            f"ALTER TABLE projection.{table} SET (fillfactor = 50, "
            "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)"
        )


def downgrade() -> None:
    op.execute("DROP SCHEMA projection CASCADE")
