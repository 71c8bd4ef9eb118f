"""The connector's configuration: Debezium, told to write the messages that app and relay write (docs/cdc.md)."""

from producer.config import Settings
from producer.domain.events import CONTENT_TYPE

NAME = "outbox"
PUBLICATION = "outbox"
HEARTBEAT_TOPICS = "__debezium-heartbeat"

# What does not depend on the settings, and why it differs from its default.
_FIXED = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "tasks.max": "1",
    "plugin.name": "pgoutput",
    # The migrator makes the publication: rows that may go directly, and only their insertion.
    "publication.name": PUBLICATION,
    "publication.autocreate.mode": "disabled",
    "table.include.list": "public.outbox",
    # Rows from before the slot are the relay's: they are past due.
    "snapshot.mode": "no_data",
    "tombstones.on.delete": "false",
    # From commit to Kafka p50 13 ms instead of the default's 455.
    "poll.interval.ms": "10",
    "retriable.restart.connector.wait.ms": "1000",
    # Whole transactions: what a killed worker has begun is aborted, and no reader has seen it.
    "exactly.once.support": "required",
    "transaction.boundary": "poll",
    # Readers wait behind an open transaction. Nobody ends that of a worker that is away but this; longer than the
    # election of a leader takes.
    "producer.override.transaction.timeout.ms": "8000",
    "producer.override.acks": "all",
    "producer.override.linger.ms": "0",
    # While only other tables are written to, the slot would stand still and PostgreSQL would keep its log: this writes
    # a word into the log, which moves the slot.
    "heartbeat.interval.ms": "5000",
    "heartbeat.action.query": "SELECT pg_logical_emit_message(false, 'heartbeat', '')",
    "message.prefix.exclude.list": ".*",
    "topic.heartbeat.prefix": HEARTBEAT_TOPICS,
    # The row's columns have the event router's default names. Key and payload are text and stay as they are.
    "transforms": "outbox,content",
    "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
    # The row names the partition once the topic has grown: what this connector's client knows of it decides nothing.
    # Rows in PostgreSQL's log from before there was the column are read as well.
    "transforms.outbox.table.fields.additional.placement": "partition:partition",
    "transforms.outbox.table.fields.additional.error.on.missing": "false",
    "transforms.content.type": "org.apache.kafka.connect.transforms.InsertHeader",
    "transforms.content.header": "content-type",
    "transforms.content.value.literal": CONTENT_TYPE,
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    "header.converter": "org.apache.kafka.connect.storage.StringConverter",
    # No headers of Debezium's own.
    "extended.headers.enabled": "false",
}


def connector_config(settings: Settings) -> dict[str, str]:
    """Return the configuration, as Kafka Connect's REST interface takes and gives it.

    The password is not in it, only where Kafka Connect finds it.
    """
    database = settings.sqlalchemy_url
    folder, file = settings.connect_password_file.parent, settings.connect_password_file.name
    return _FIXED | {
        "name": NAME,
        "database.hostname": database.host or "localhost",
        "database.port": str(database.port or 5432),
        "database.dbname": database.database or "",
        "database.user": database.username or "",
        "database.password": f"${{directory:{folder}:{file}}}",
        "slot.name": settings.cdc_slot,
        "topic.prefix": settings.kafka_topic,
        "transforms.outbox.route.topic.replacement": settings.kafka_topic,
    }


def heartbeat_topic(settings: Settings) -> str:
    """Return the topic to which Debezium writes its heartbeats. Nobody reads it."""
    return f"{HEARTBEAT_TOPICS}.{settings.kafka_topic}"
