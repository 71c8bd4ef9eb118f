"""Keep with each order what its events are made from: the id of the last one, and the times of its changes.

Orders that exist keep NULL: their events' ids were made at random and cannot be made again.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD event_id uuid, ADD changed_at timestamptz[] NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    op.execute("ALTER TABLE orders DROP event_id, DROP changed_at")
