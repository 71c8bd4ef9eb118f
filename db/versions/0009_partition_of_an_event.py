"""Keep with an outbox row the partition that the layout gives it, for Debezium, which does not read the layout."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # NULL: the partition that Kafka's client computes, as long as the topic has never been grown.
    op.execute("ALTER TABLE outbox ADD COLUMN partition integer")


def downgrade() -> None:
    op.execute("ALTER TABLE outbox DROP COLUMN partition")
