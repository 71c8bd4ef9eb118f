"""The topic while it is given more partitions: how it is, how far it goes, and the signposts for its readers."""

import json
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, OffsetSpec, PartitionMetadata
from uuid_utils.compat import uuid7

from producer.config import Settings
from producer.domain.events import CONTENT_TYPE, utc
from producer.publishing.kafka import admin_settings, producer_settings

REQUEST_S = 5
TIMEOUTS = (KafkaError._TIMED_OUT, KafkaError.REQUEST_TIMED_OUT)
SIGNPOST = "topic.grown"
# Errors are raised. What the client library has to say besides, such as that the topic has more partitions, would come
# in between what the command tells people.
QUIET = {"log_level": 0}


class KafkaTopic:
    """One topic, asked through an AdminClient. Every method raises KafkaException."""

    def __init__(self, settings: Settings):
        self._settings, self._name = settings, settings.kafka_topic
        self._admin = AdminClient(admin_settings(settings) | QUIET)

    def partitions(self) -> int:
        """Return how many partitions the topic has."""
        return len(self._described())

    def not_ready(self) -> list[int]:
        """Return the partitions that take no writes."""
        least = self._settings.kafka_topic_min_insync_replicas
        described = self._described().values()
        return sorted(each.id for each in described if each.leader < 0 or len(each.isrs) < least)

    def add(self, partitions: int) -> None:
        """Have Kafka add partitions, up to so many in all. After a timeout it may add them yet: `partitions` tells."""
        wanted = [NewPartitions(self._name, partitions)]
        try:
            _result(self._admin.create_partitions(wanted, request_timeout=REQUEST_S)[self._name])
        except KafkaException as error:
            if error.args[0].code() not in TIMEOUTS:
                raise

    def ends(self, partitions: int) -> list[int]:
        """Return the offset after the last message of each of the first so many partitions."""
        wanted: dict[TopicPartition, Any] = {
            TopicPartition(self._name, number): OffsetSpec.latest() for number in range(partitions)
        }
        answers = self._admin.list_offsets(wanted, request_timeout=REQUEST_S)
        found = {each.partition: _result(answer).offset for each, answer in answers.items()}
        if any(offset < 0 for offset in found.values()):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "A partition does not say where it ends"))
        return [found[number] for number in range(partitions)]

    def put_signposts(self, partitions: int, ends: list[int]) -> None:
        """Write a signpost to each partition: what is behind it comes after everything before these ends."""
        producer, errors = (
            Producer(producer_settings(self._settings) | QUIET | {"client.id": "growth"}),
            list[KafkaError](),
        )

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                errors.append(error)

        event_id = str(uuid7())
        payload = signpost(event_id, partitions, ends, datetime.now(UTC))
        headers: list[tuple[str, str | bytes | None]] = [("id", event_id), ("content-type", CONTENT_TYPE)]
        # Until the client knows a partition, it refuses it.
        producer.list_topics(self._name, timeout=REQUEST_S)
        for number in range(partitions):
            producer.produce(self._name, payload, partition=number, headers=headers, on_delivery=on_delivery)
        if producer.flush(2 * REQUEST_S) or errors:
            told = (
                errors[0] if errors else KafkaError(KafkaError._TIMED_OUT, "A signpost was not acknowledged")
            )
            raise KafkaException(told)

    def _described(self) -> dict[int, PartitionMetadata]:
        topic = self._admin.list_topics(self._name, timeout=REQUEST_S).topics[self._name]
        if topic.error is not None:
            raise KafkaException(topic.error)
        return topic.partitions


def _result(answer: "Future[Any]") -> Any:
    try:
        return answer.result(2 * REQUEST_S)
    except TimeoutError as error:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "No answer")) from error


def signpost(event_id: str, partitions: int, ends: list[int], moment: datetime) -> bytes:
    """Return the event that tells readers of the topic: from here on there are so many partitions."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/orders",
        "type": SIGNPOST,
        "time": utc(moment),
        "datacontenttype": "application/json",
        "data": {"partitions": partitions, "ends": ends},
    }
    return json.dumps(event, separators=(",", ":")).encode()
