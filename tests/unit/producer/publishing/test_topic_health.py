from confluent_kafka import KafkaError
from confluent_kafka.admin import PartitionMetadata, TopicMetadata

from producer.publishing.breaker import Breaker, BreakerPolicy
from producer.publishing.publisher import Publisher
from producer.publishing.topic_health import TopicHealth
from tests.unit.producer.fake_kafka import FakeProducer

TOPIC, MIN_INSYNC = "orders", 2


def partition(number: int, leader: int = 1, isrs: tuple[int, ...] = (1, 2, 3)) -> PartitionMetadata:
    partition = PartitionMetadata()
    partition.id, partition.leader, partition.isrs = number, leader, list(isrs)
    return partition


def cluster(*partitions: PartitionMetadata, error: KafkaError | None = None) -> FakeProducer:
    """Return a client of a cluster that describes the topic so."""
    topic = TopicMetadata()
    topic.partitions, topic.error = {each.id: each for each in partitions}, error
    kafka = FakeProducer()
    kafka.metadata.topics = {TOPIC: topic}
    return kafka


def publisher_of(kafka: FakeProducer) -> Publisher:
    return Publisher(lambda: kafka, TOPIC, None, Breaker(BreakerPolicy()), lambda: None)


def status(kafka: FakeProducer) -> str:
    """Return the topic's status as a started publisher sees it."""
    publisher = publisher_of(kafka)
    publisher.start()
    publisher.close()
    return TopicHealth(publisher, TOPIC, MIN_INSYNC)()["status"]


def test_topic_is_ok_when_every_partition_takes_writes() -> None:
    assert status(cluster(partition(0), partition(1, isrs=(1, 2)))) == "ok"


def test_topic_is_degraded_when_a_partition_has_no_leader() -> None:
    assert status(cluster(partition(0), partition(1, leader=-1))) == "degraded"


def test_topic_is_degraded_when_too_few_replicas_are_in_sync() -> None:
    assert status(cluster(partition(0, isrs=(1,)))) == "degraded"


def test_topic_is_degraded_when_it_does_not_exist() -> None:
    assert status(cluster(error=KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))) == "degraded"


def test_topic_is_unavailable_when_no_broker_answers() -> None:
    assert status(FakeProducer(error=KafkaError(KafkaError._TRANSPORT, "no broker answers"))) == "unavailable"


def test_topic_is_unavailable_before_the_publisher_is_started() -> None:
    health = TopicHealth(publisher_of(cluster(partition(0))), TOPIC, MIN_INSYNC)
    assert health()["status"] == "unavailable"
