"""Keep by how many partitions events are published, and whether they may be at this moment.

The key and the number of partitions decide where an order's events go, so whoever publishes reads both here, in the
statement that permits the publish: `./start_project.sh partitions N` changes the number while nothing is on its way.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = (
    # One row. partitions: 0 until the topic is grown for the first time: then Kafka's clients decide, and all know the
    # same number. relayed_until: until then only the relay publishes what is stored. stopped_until: until then nobody
    # publishes what was not on its way before. Both end by themselves, whatever becomes of the command. run: the
    # command that has set them.
    """
    CREATE TABLE layout (
        is_only       boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        partitions    integer NOT NULL DEFAULT 0 CHECK (partitions >= 0),
        run           uuid,
        relayed_until timestamptz NOT NULL DEFAULT '-infinity',
        stopped_until timestamptz NOT NULL DEFAULT '-infinity'
    )
    """,
    "INSERT INTO layout DEFAULT VALUES",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE layout")
