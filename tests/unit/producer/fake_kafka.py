"""A Kafka producer in memory. publishing/test_producer_client.py holds it against the real one."""

import threading

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import ClusterMetadata

from producer.publishing.produce import CLIENTS_OWN, OnDelivery

ROOMY = 1_000_000


class FakeProducer:
    """A KafkaProducer that keeps what it is given and delivers when the test says so.

    room: how many events librdkafka's queue takes. error: why every call to Kafka fails. acknowledges: whether
    each event is delivered by the next poll or flush, without the test's help.
    """

    def __init__(self, room: int = ROOMY, error: KafkaError | None = None, acknowledges: bool = False):
        self.room, self.error, self._acknowledges = room, error, acknowledges
        self.metadata = ClusterMetadata()
        self.sent: list[bytes] = []
        self.partitions: list[int] = []
        self.reports: list[OnDelivery] = []
        self.is_flushed = False
        self._is_fatal = False
        self._untold: KafkaError | None = None
        self._outcomes: list[tuple[OnDelivery, KafkaError | None]] = []
        self._lock = threading.Lock()
        self._news = threading.Event()

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int = CLIENTS_OWN,
        *,
        headers: list[tuple[str, str | bytes | None]],
        on_delivery: OnDelivery,
    ) -> None:
        """Queue an event. Raises KafkaException, and BufferError when the queue is full."""
        with self._lock:
            if self._is_fatal:  # an error made from its code, whose fatal() is False
                raise KafkaException(KafkaError(KafkaError._FATAL))
            if self.error is not None:
                raise KafkaException(self.error)
            if len(self) >= self.room:
                raise BufferError
            self.sent.append(value)
            self.partitions.append(partition)
            if self._acknowledges:
                self._outcomes.append((on_delivery, None))
                self._news.set()
            else:
                self.reports.append(on_delivery)

    def deliver(self, error: KafkaError | None = None, partition: int | None = None) -> None:
        """Report the delivery of the oldest event in flight, or its failure."""
        self.reports.pop(0)(error, Message(partition=partition) if partition is not None else Message())

    def fail_for_good(self) -> None:
        """Raise a fatal error: the next poll or flush tells it, once, and what is in flight is purged."""
        with self._lock:
            self._is_fatal = True
            self._untold = KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "injected by the test", True)
            purged = KafkaError(KafkaError._PURGE_QUEUE)
            self._outcomes += [(on_delivery, purged) for on_delivery in self.reports]
            self.reports.clear()
        self._news.set()

    def poll(self, timeout: float) -> int:
        """Serve the delivery reports, waiting for one up to `timeout`. Raises KafkaException after a fatal error."""
        self._news.wait(timeout)
        self._news.clear()
        return self._serve()

    def flush(self, timeout: float) -> int:
        """Serve the delivery reports; return how many events are in flight. Raises KafkaException like poll."""
        self.is_flushed = True
        self._serve()
        return len(self)

    def _serve(self) -> int:
        with self._lock:
            untold, self._untold = self._untold, None
            if untold is not None:
                self._news.set()
                raise KafkaException(untold)
            outcomes, self._outcomes = self._outcomes, []
        for on_delivery, error in outcomes:
            on_delivery(error, Message())
        return len(outcomes)

    def __len__(self) -> int:
        """Return how many events are in flight or not reported yet."""
        return len(self.reports) + len(self._outcomes)

    def list_topics(self, topic: str, timeout: float) -> ClusterMetadata:
        """Return `metadata`. Raises KafkaException."""
        if self.error is not None:
            raise KafkaException(self.error)
        return self.metadata
