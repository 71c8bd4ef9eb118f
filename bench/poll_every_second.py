"""The relay that is in most examples, to measure ours against: look every second, publish, wait, delete."""

import signal
import threading

import psycopg2
from confluent_kafka import Producer

from producer.config import Settings
from producer.publishing.kafka import producer_settings

BATCH = 1000
TAKE = """
    DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING id, aggregateid, payload
"""


def main() -> None:
    settings, stopped = Settings(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    producer = Producer(producer_settings(settings))
    connection = psycopg2.connect(settings.database_url)
    while not stopped.is_set():
        with connection, connection.cursor() as cursor:
            cursor.execute(TAKE, [BATCH])
            rows = cursor.fetchall()
            for event_id, order_id, payload in rows:
                producer.produce(
                    settings.kafka_topic,
                    payload.encode(),
                    order_id.encode(),
                    headers=[("id", event_id)],
                )
            if producer.flush(10):
                raise SystemExit("Kafka does not answer")
        if len(rows) < BATCH:
            stopped.wait(1.0)


if __name__ == "__main__":
    main()
