"""Creates the topic, and checks that it is what the settings ask for.

The key decides the partition, so with more partitions an order's next event could land in another one, and the
sequence of its events would be lost. So a topic is grown by `producer.topics grow` only (growth.py), and has more
partitions than the settings say from then on.
"""

import logging
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, PartitionMetadata, ResourceType

from producer.config import Settings

logger = logging.getLogger(__name__)

DEADLINE_S = 60
REQUEST_S = 5
# Kafka's own default. A batch of ours may be as large (librdkafka's batch.size), and a broker judges batches.
MIN_MESSAGE_BYTES = 1_048_588


class TopicMismatch(Exception):
    """The topic exists and differs from what the settings ask for."""


def wanted_config(settings: Settings) -> dict[str, str]:
    """Return the topic's own settings: new clusters ignore the brokers' min.insync.replicas (KIP-966)."""
    return {
        "min.insync.replicas": str(settings.kafka_topic_min_insync_replicas),
        "unclean.leader.election.enable": "false",
        # By the brokers' clock: the relay looks offsets up by time.
        "message.timestamp.type": "LogAppendTime",
        # Compaction would drop an order's earlier events.
        "cleanup.policy": "delete",
        "max.message.bytes": str(MIN_MESSAGE_BYTES),
    }


def create(admin: AdminClient, settings: Settings) -> bool:
    """Create the topic; return False when it exists already. Raises KafkaException."""
    topic = NewTopic(
        settings.kafka_topic,
        num_partitions=settings.kafka_topic_partitions,
        replication_factor=settings.kafka_topic_replication_factor,
        config=wanted_config(settings),
    )
    try:
        admin.create_topics([topic], request_timeout=REQUEST_S)[settings.kafka_topic].result(2 * REQUEST_S)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise
    return True


def check(admin: AdminClient, settings: Settings) -> None:
    """Compare the topic with the settings. Raises TopicMismatch, KafkaException."""
    partitions = _partitions(admin, settings.kafka_topic)
    found = {"partitions": str(len(partitions)), **_config(admin, settings.kafka_topic)}
    found["replication factor"] = str(min((len(p.replicas) for p in partitions.values()), default=0))
    wanted = {
        "partitions": str(settings.kafka_topic_partitions),
        "replication factor": str(settings.kafka_topic_replication_factor),
        **wanted_config(settings),
    }
    del wanted["max.message.bytes"]  # more is welcome
    if len(partitions) > settings.kafka_topic_partitions:
        del wanted["partitions"]  # it was grown
    wrong = [
        f"{name} is {found[name]}, wanted {value}" for name, value in wanted.items() if found[name] != value
    ]
    if int(found["max.message.bytes"]) < MIN_MESSAGE_BYTES:
        wrong.append(
            f"max.message.bytes is {found['max.message.bytes']}, wanted at least {MIN_MESSAGE_BYTES}"
        )
    if wrong:
        raise TopicMismatch(f"Topic {settings.kafka_topic}: {'; '.join(wrong)}")


def _partitions(admin: AdminClient, topic: str) -> dict[int, PartitionMetadata]:
    return admin.list_topics(topic, timeout=REQUEST_S).topics[topic].partitions


def _config(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource], request_timeout=REQUEST_S)[resource].result(2 * REQUEST_S)
    return {name: entry.value for name, entry in entries.items()}


def ensure(admin: AdminClient, settings: Settings) -> None:
    """Create the topic unless it exists, and check it. Raises TopicMismatch, or KafkaException after DEADLINE_S.

    A broker may not know a topic yet that was created a moment ago, so the check is repeated.
    """
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            if create(admin, settings):
                logger.info("Created topic %s", settings.kafka_topic)
            check(admin, settings)
            return
        except (KafkaException, KeyError) as error:
            if time.monotonic() > end:
                raise
            logger.info("Waiting for Kafka: %s", error)
            admin.poll(0.5)
        except TopicMismatch:
            if time.monotonic() > end - DEADLINE_S + REQUEST_S:
                raise
            admin.poll(0.5)
