"""The topic, made and checked: `python -m producer.topics`, a one-shot that may be repeated.

It refuses to grow a topic in place. The key decides the partition, so with more partitions an order's next
event could land on another one, and its order of events would be gone: a new number of partitions means a
new topic.
"""

import logging
import sys
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, PartitionMetadata, ResourceType

from producer.config import Settings
from producer.kafka import admin_settings

logger = logging.getLogger(__name__)

DEADLINE_S = 60
REQUEST_S = 5


class TopicMismatch(Exception):
    """The topic exists and is not what the settings ask for."""


def wanted_config(settings: Settings) -> dict[str, str]:
    """On the topic itself: new clusters ignore the brokers' own min.insync.replicas (KIP-966)."""
    return {
        "min.insync.replicas": str(settings.kafka_topic_min_insync_replicas),
        "unclean.leader.election.enable": "false",
        # By the brokers' clock: the relay looks offsets up by time.
        "message.timestamp.type": "LogAppendTime",
    }


def create(admin: AdminClient, settings: Settings) -> bool:
    """True when it was made now, False when it was there."""
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
    """TopicMismatch where the topic differs from the settings."""
    partitions = _partitions(admin, settings.kafka_topic)
    found = {"partitions": str(len(partitions)), **_config(admin, settings.kafka_topic)}
    found["replication factor"] = str(min((len(p.replicas) for p in partitions.values()), default=0))
    wanted = {
        "partitions": str(settings.kafka_topic_partitions),
        "replication factor": str(settings.kafka_topic_replication_factor),
        **wanted_config(settings),
    }
    wrong = [
        f"{name} is {found[name]}, wanted {value}" for name, value in wanted.items() if found[name] != value
    ]
    if wrong:
        raise TopicMismatch(f"topic {settings.kafka_topic}: {'; '.join(wrong)}")


def _partitions(admin: AdminClient, topic: str) -> dict[int, PartitionMetadata]:
    return admin.list_topics(topic, timeout=REQUEST_S).topics[topic].partitions


def _config(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource], request_timeout=REQUEST_S)[resource].result(2 * REQUEST_S)
    return {name: entry.value for name, entry in entries.items()}


def ensure(admin: AdminClient, settings: Settings) -> None:
    """A topic is known to every broker a moment after it was made: ask until it is, or the time is over."""
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            if create(admin, settings):
                logger.info("topic %s was created", settings.kafka_topic)
            check(admin, settings)
            return
        except (KafkaException, KeyError) as error:
            if time.monotonic() > end:
                raise
            logger.info("waiting for Kafka: %s", error)
            admin.poll(0.5)
        except TopicMismatch:
            if time.monotonic() > end - DEADLINE_S + REQUEST_S:
                raise
            admin.poll(0.5)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    settings = Settings()
    try:
        ensure(AdminClient(admin_settings(settings)), settings)
    except (KafkaException, TopicMismatch) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
