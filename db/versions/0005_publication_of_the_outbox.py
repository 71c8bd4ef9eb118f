"""Publish the outbox's new rows to whoever captures changes: Debezium, with PUBLISHER=debezium (docs/cdc.md).

Only rows that an earlier version does not wait before (`direct`), and only their insertion: an order's next version
must not reach Kafka while an earlier one is in the outbox. Without a reader a publication costs nothing.
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("CREATE PUBLICATION outbox FOR TABLE outbox WHERE (direct) WITH (publish = 'insert')")


def downgrade() -> None:
    op.execute("DROP PUBLICATION outbox")
