"""A Kafka producer in memory."""

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import ClusterMetadata

from producer.publishing.produce import OnDelivery

ROOMY = 1_000_000


class FakeProducer:
    """A KafkaProducer that keeps what it is given and delivers when the test says so.

    room: how many events librdkafka's queue takes. error: why every call to Kafka fails.
    """

    def __init__(self, room: int = ROOMY, error: KafkaError | None = None):
        self.room, self.error = room, error
        self.metadata = ClusterMetadata()
        self.sent: list[bytes] = []
        self.reports: list[OnDelivery] = []
        self.is_flushed = False

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        *,
        headers: list[tuple[str, str | bytes | None]],
        on_delivery: OnDelivery,
    ) -> None:
        """Queue an event. Raises KafkaException, and BufferError when the queue is full."""
        if self.error is not None:
            raise KafkaException(self.error)
        if len(self.sent) >= self.room:
            raise BufferError
        self.sent.append(value)
        self.reports.append(on_delivery)

    def deliver(self, error: KafkaError | None = None) -> None:
        """Report the delivery of the oldest event in flight, or its failure."""
        self.reports.pop(0)(error, Message())

    def poll(self, timeout: float) -> int:
        """Serve no delivery report: `deliver` does."""
        return 0

    def flush(self, timeout: float) -> int:
        """Remember that it was called."""
        self.is_flushed = True
        return 0

    def __len__(self) -> int:
        """Return how many events are in flight."""
        return len(self.reports)

    def list_topics(self, topic: str, timeout: float) -> ClusterMetadata:
        """Return `metadata`. Raises KafkaException."""
        if self.error is not None:
            raise KafkaException(self.error)
        return self.metadata
