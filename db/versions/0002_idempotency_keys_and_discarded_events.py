"""Create the stored responses of requests with an Idempotency-Key, and the record of discarded events."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE idempotency_keys (
            key         text PRIMARY KEY CHECK (char_length(key) BETWEEN 1 AND 255),
            fingerprint bytea NOT NULL,
            status      integer NOT NULL,
            location    text,
            body        bytea NOT NULL,
            expires_at  timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at)")
    # Discarding is the only way that an event leaves the outbox without being in Kafka, so it is recorded here.
    op.execute(
        """
        CREATE TABLE outbox_discarded (
            id            uuid PRIMARY KEY,
            aggregateid   uuid NOT NULL,
            type          text NOT NULL,
            version       integer NOT NULL,
            payload       text NOT NULL,
            parked_reason text NOT NULL,
            discarded_at  timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE outbox_discarded")
    op.execute("DROP TABLE idempotency_keys")
