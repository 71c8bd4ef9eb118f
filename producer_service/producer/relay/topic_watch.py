"""Whether the topic still is the one that is read back, asked of the brokers without waiting."""

from collections.abc import Callable, Collection
from concurrent.futures import Future

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, TopicDescription

from producer.relay.end_offsets import REQUEST_S, STUCK_S

# What a broker that does not know ids says: 16 zero bytes, as text.
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"


class TopicChanged(Exception):
    """The topic has other partitions than those that are read back, or it was created again."""


class TopicRecreated(TopicChanged):
    """The topic was created again: another one of that name."""


class TopicWatch:
    """One question at a time: "which partitions does the topic have now?".

    topic_id: what Kafka calls the topic, beside its name; None where it has not been asked yet.
    """

    def __init__(self, admin: AdminClient, topic: str, clock: Callable[[], float], topic_id: str | None):
        self._admin, self._topic, self._clock = admin, topic, clock
        self._asked_at = 0.0
        self._answer: Future[TopicDescription] | None = None
        self.topic_id = topic_id

    def ask(self) -> None:
        """Ask the brokers, unless an earlier question is open and not stuck."""
        now = self._clock()
        if self._answer is None or now - self._asked_at >= STUCK_S:
            self._asked_at = now
            topics = TopicCollection([self._topic])
            self._answer = self._admin.describe_topics(topics, request_timeout=REQUEST_S)[self._topic]

    def check(self, partitions: Collection[int]) -> None:
        """Compare the answer, if there is one, with the partitions that are read. Raises TopicChanged.

        A question that failed says nothing: the next proof asks again.
        """
        if self._answer is None or not self._answer.done():
            return
        answer, self._answer = self._answer, None
        try:
            topic = answer.result()
        except KafkaException:
            return
        if (told := str(topic.topic_id)) not in ("None", NO_ID):  # two Uuid of one value are not equal
            before, self.topic_id = self.topic_id, told
            if before not in (None, told):
                raise TopicRecreated("The topic was created again.")
        found = sorted(partition.id for partition in topic.partitions)
        if found != sorted(partitions):
            raise TopicChanged(f"The topic has the partitions {found}, read back are {sorted(partitions)}.")
