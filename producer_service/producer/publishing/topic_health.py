"""Whether the topic takes writes."""

from confluent_kafka import KafkaException

from producer.publishing.publisher import Publisher

REQUEST_S = 1.0


class TopicHealth:
    """Asks the cluster, through the publisher's own client, about every partition of the topic."""

    def __init__(self, publisher: Publisher, topic: str, min_insync: int):
        self._publisher, self._topic, self._min_insync = publisher, topic, min_insync

    def __call__(self) -> dict[str, str]:
        """Return `status` and, unless it is `ok`, `detail`.

        `ok`: every partition has a leader and enough replicas in sync. Takes at most REQUEST_S.
        """
        try:
            metadata = self._publisher.metadata(REQUEST_S)
        except KafkaException as error:
            return {"status": "unavailable", "detail": error.args[0].str()}
        if metadata is None:
            return {"status": "unavailable", "detail": "not started"}
        topic = metadata.topics[self._topic]
        stuck = [p.id for p in topic.partitions.values() if p.leader < 0 or len(p.isrs) < self._min_insync]
        if topic.error is not None or stuck:
            detail = topic.error.str() if topic.error else f"too few replicas in sync: {sorted(stuck)}"
            return {"status": "degraded", "detail": detail}
        return {"status": "ok"}
