"""The settings of our Kafka clients, and why each differs from its default."""

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
    """Return the direct publish's settings.

    A delivery report without an error means that every in-sync replica has the event, once and in order.
    """
    return _CLIENT | {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": "producer",
        "acks": "all",
        "enable.idempotence": True,
        # The partitioner of Java, and so of Debezium; librdkafka's own would spread an order over two partitions.
        "partitioner": "murmur2_random",
        # Once the topic has grown, events are published by the number of partitions in the database: a client must know
        # them all by then, and it is given 6 s.
        "topic.metadata.refresh.interval.ms": 2000,
        "linger.ms": 1,
        "request.timeout.ms": 2000,
        "delivery.timeout.ms": int(settings.publish_timeout_s * 1000),
        "queue.buffering.max.messages": settings.publish_queue,
        "queue.buffering.max.kbytes": 64 * 1024,
    }


def relay_producer_settings(settings: Settings) -> dict[str, Any]:
    """Return the relay's settings, for events by the thousand.

    With 1 ms of linger a backlog leaves in many small requests: draining it took 60 us of CPU per row, three
    times as much as with 5 ms (bench/publish.py, both within one minute). Only failures are reported: the
    read-back sees the successes.
    """
    many = {"client.id": "relay", "linger.ms": 5, "delivery.report.only.error": True}
    return producer_settings(settings) | many


def bulk_producer_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings of the relay's client for a backlog: nobody waits for a single event of it.

    Each request costs the brokers some ms of CPU, replicas and readers included. Larger batches drain a backlog with
    half of it, and 50 ms of linger are less than what such events have waited already.
    """
    return relay_producer_settings(settings) | {"linger.ms": 50}


def single_producer_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings of the client that sends each event in a batch of its own, so that it is judged alone."""
    return relay_producer_settings(settings) | {"linger.ms": 0, "batch.num.messages": 1}


def consumer_settings(settings: Settings) -> dict[str, Any]:
    """Return the read-back's settings: self-assigned partitions, no group, no commits, no skipping."""
    return _CLIENT | {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": "relay",
        "group.id": "unused",  # librdkafka wants one; without subscribe() or commits no group comes to be
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        # Only a change of an order whose last event is not read back yet waits for a fetch, and each is a request for a
        # broker: so one brings what has come in 100 ms, not each event on its own.
        "fetch.wait.max.ms": 100,
        "fetch.min.bytes": 64 * 1024,
        "queued.max.messages.kbytes": 16 * 1024,
    }


def ledger_consumer_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings of a consumer for as much of the topic as retention leaves while it is read.

    Its errors are told in one line, and not by librdkafka as well.
    """
    others = {"client.id": "ledger", "auto.offset.reset": "earliest", "log_level": 0}
    return consumer_settings(settings) | others


def admin_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings of an AdminClient."""
    return _CLIENT | {"bootstrap.servers": settings.kafka_bootstrap_servers, "client.id": "admin"}
