"""The outbox at a million rows: indexes for its age and for what is parked, and vacuum that keeps up."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # "How old is the oldest event?" is asked every second, and by each relay that starts.
    op.execute("CREATE INDEX outbox_created_at ON outbox (created_at) WHERE parked_at IS NULL")
    # Almost always empty: it makes "how many are parked?" and "is a row behind a parked one?" cost nothing.
    op.execute("CREATE INDEX outbox_parked ON outbox (aggregateid, version) WHERE parked_at IS NOT NULL")
    # A row is inserted, updated once or twice and deleted, by the thousand each second: vacuum works without
    # pauses, or after a drain the empty pages would be read for as long as it naps.
    op.execute(
        """
        ALTER TABLE outbox SET (
            autovacuum_vacuum_scale_factor = 0,
            autovacuum_vacuum_threshold = 5000,
            autovacuum_vacuum_insert_scale_factor = 0,
            autovacuum_vacuum_insert_threshold = 50000,
            autovacuum_analyze_scale_factor = 0,
            autovacuum_analyze_threshold = 50000,
            autovacuum_vacuum_cost_delay = 0
        )
        """
    )
    # Answers expire by the day's worth at once.
    op.execute(
        """
        ALTER TABLE idempotency_keys SET (
            autovacuum_vacuum_scale_factor = 0,
            autovacuum_vacuum_threshold = 20000,
            autovacuum_vacuum_cost_delay = 0
        )
        """
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE idempotency_keys RESET (
            autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay
        )
        """
    )
    op.execute(
        """
        ALTER TABLE outbox RESET (
            autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold,
            autovacuum_analyze_scale_factor, autovacuum_analyze_threshold, autovacuum_vacuum_cost_delay
        )
        """
    )
    op.execute("DROP INDEX outbox_parked")
    op.execute("DROP INDEX outbox_created_at")
