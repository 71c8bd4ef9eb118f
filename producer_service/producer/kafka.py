"""The settings of our Kafka clients, and why each is not the default."""

from typing import Any

from producer.config import Settings

# A frozen broker keeps its TCP connections open: without these, requests to it wait for a minute.
_CLIENT: dict[str, Any] = {
    "socket.timeout.ms": 3000,
    "socket.connection.setup.timeout.ms": 3000,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "log.connection.close": False,
}


def producer_settings(settings: Settings) -> dict[str, Any]:
    """A delivery report without an error means: on every in-sync replica, once, in order."""
    return _CLIENT | {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": "producer",
        "acks": "all",
        "enable.idempotence": True,
        # Java's and so Debezium's partitioner; librdkafka's own would put an order on two partitions.
        "partitioner": "murmur2_random",
        "linger.ms": 1,
        "request.timeout.ms": 2000,
        "delivery.timeout.ms": int(settings.publish_timeout_s * 1000),
        "queue.buffering.max.messages": settings.publish_queue,
        "queue.buffering.max.kbytes": 64 * 1024,
    }


def relay_producer_settings(settings: Settings) -> dict[str, Any]:
    """For events by the thousand.

    With 1 ms a backlog goes out in many small requests: draining it took 60 us of CPU a row, three times as
    much as with 5 ms (bench/publish.py's rows, both within one minute). Only failures are reported: a success
    is seen by the read-back.
    """
    many = {"client.id": "relay", "linger.ms": 5, "delivery.report.only.error": True}
    return producer_settings(settings) | many


def consumer_settings(settings: Settings) -> dict[str, Any]:
    """For reading partitions that we assign ourselves: no group, nothing committed, nothing skipped."""
    return _CLIENT | {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": "relay",
        "group.id": "unused",  # librdkafka wants one; without subscribe() or commits no group comes to be
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 200,
        "fetch.min.bytes": 1,
        "queued.max.messages.kbytes": 16 * 1024,
    }


def admin_settings(settings: Settings) -> dict[str, Any]:
    return _CLIENT | {"bootstrap.servers": settings.kafka_bootstrap_servers, "client.id": "admin"}
