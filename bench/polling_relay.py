"""The relay of most outbox examples, to compare ours with: every second it takes rows, publishes, waits, deletes."""

import signal
import threading

import psycopg2
from confluent_kafka import Producer

from producer.config import Settings
from producer.publishing.kafka import producer_settings

BATCH_SIZE = 1000
INTERVAL_S = 1.0
FLUSH_TIMEOUT_S = 10
DELETE_OLDEST = """
    DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING id, aggregateid, payload
"""


def main() -> None:
    """Publish the outbox until SIGTERM. A batch's deletes are committed when Kafka has confirmed its events."""
    settings, stopped = Settings(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    producer = Producer(producer_settings(settings))
    connection = psycopg2.connect(settings.database_url)
    while not stopped.is_set():
        with connection, connection.cursor() as cursor:
            cursor.execute(DELETE_OLDEST, [BATCH_SIZE])
            rows = cursor.fetchall()
            for event_id, order_id, payload in rows:
                producer.produce(
                    settings.kafka_topic,
                    payload.encode(),
                    order_id.encode(),
                    headers=[("id", event_id)],
                )
            if producer.flush(FLUSH_TIMEOUT_S):
                raise SystemExit("error: Kafka does not answer.")
        if len(rows) < BATCH_SIZE:
            stopped.wait(INTERVAL_S)


if __name__ == "__main__":
    main()
