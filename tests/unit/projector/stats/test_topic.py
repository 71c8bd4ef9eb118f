"""The settings that promises rest on, and that librdkafka takes them."""

from confluent_kafka import Producer

from projector.stats.topic import CONFIG, QUEUE, StatsTopic
from projector.topic.producing import producer_settings


def test_topic_keeps_the_last_message_only_in_small_segments() -> None:
    assert CONFIG["cleanup.policy"] == "compact"
    assert int(CONFIG["segment.bytes"]) == 1 << 20  # the least that Kafka 4 takes
    assert int(CONFIG["segment.ms"]) <= 600_000
    assert float(CONFIG["min.cleanable.dirty.ratio"]) <= 0.01


def test_topic_has_the_replication_of_the_others() -> None:
    new = StatsTopic("127.0.0.1:1", "figures", 3, 2)._new
    assert (new.topic, new.num_partitions, new.replication_factor) == ("figures", 1, 3)
    assert (new.config or {})["min.insync.replicas"] == "2"


def test_client_takes_the_settings() -> None:
    settings = producer_settings("127.0.0.1:1", QUEUE)
    Producer(settings | {"compression.type": "gzip"})
    assert (settings["acks"], settings["enable.idempotence"]) == ("all", True)
    assert settings["delivery.timeout.ms"] == 5000
