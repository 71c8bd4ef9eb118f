"""A Kafka client for tests. test_producer_client.py holds it against the real one."""

import threading
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException

Report = Callable[[KafkaError | None, Any], None]


class FakeProducer:
    """Keeps what it is given; `poll` serves the reports of what was acknowledged."""

    def __init__(self, room: int = 100, acknowledges: bool = True):
        self.sent: list[bytes] = []
        self._room, self._acknowledges = room, acknowledges
        self._waiting: list[Report] = []
        self._reports: list[tuple[Report, KafkaError | None]] = []
        self._untold: KafkaError | None = None
        self._is_fatal = False
        self._news = threading.Event()
        self._lock = threading.Lock()

    def produce(self, topic: str, value: bytes, key: bytes, *, headers: object, on_delivery: Report) -> None:
        with self._lock:
            if self._is_fatal:  # an error made from a code: its fatal() is False
                raise KafkaException(KafkaError(KafkaError._FATAL))
            if len(self._waiting) + len(self._reports) >= self._room:
                raise BufferError("Local: Queue full")
            self.sent.append(value)
            self._waiting.append(on_delivery)
        if self._acknowledges:
            self.report(None)

    def report(self, error: KafkaError | None) -> None:
        """Have everything that waits reported by the next poll."""
        with self._lock:
            self._reports += [(on_delivery, error) for on_delivery in self._waiting]
            self._waiting.clear()
        self._news.set()

    def fail_for_good(self) -> None:
        """Raise a fatal error: the next poll or flush tells it, once; what waits is purged."""
        self._untold = KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "injected by the test", True)
        self._is_fatal = True
        self.report(KafkaError(KafkaError._PURGE_QUEUE))

    def poll(self, timeout: float) -> int:
        self._news.wait(timeout)
        self._news.clear()
        if self._untold is not None:
            error, self._untold = self._untold, None
            self._news.set()
            raise KafkaException(error)
        return self._serve()

    def flush(self, timeout: float) -> int:
        if self._untold is not None:
            error, self._untold = self._untold, None
            raise KafkaException(error)
        self._serve()
        return len(self)

    def _serve(self) -> int:
        with self._lock:
            reports, self._reports = self._reports, []
        for on_delivery, error in reports:
            on_delivery(error, None)
        return len(reports)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._reports)

    def list_topics(self, topic: str, timeout: float) -> Any: ...
