"""The consumer's web application without threads, sockets and Kafka."""

from dataclasses import replace
from typing import Any

from flask.testing import FlaskClient

from consumer import create_app
from consumer.config import Settings
from consumer.ring.position import Position
from consumer.ring.types import Event
from consumer.services import EXTENSION, Services, State
from consumer.topic.history import History
from consumer.topic.kafka import KafkaUnavailable
from consumer.topic.stats import read_stats
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID, FakeTopic, event


class FakeTestEventPublisher:
    """Counts the test events it was asked to publish."""

    def __init__(self) -> None:
        self.sent = 0
        self.is_down = False

    def publish(self) -> str:
        """Return the id of a published event. Raises KafkaUnavailable while `is_down`."""
        if self.is_down:
            raise KafkaUnavailable("no answer")
        self.sent += 1
        return f"id-{self.sent}"


class WebHarness:
    """A test client on services that were never started. state: what the services report."""

    def __init__(self) -> None:
        self._app = create_app(Settings(kafka_bootstrap_servers="nowhere:1", test_event_interval_s=0))
        self.client: FlaskClient = self._app.test_client()
        self.publisher = FakeTestEventPublisher()
        self.state: State = "starting"
        self.replace(state=lambda: self.state, test_events=self.publisher)

    @property
    def services(self) -> Services:
        """The services that requests use now."""
        services: Services = self._app.extensions[EXTENSION]
        return services

    def replace(self, **parts: Any) -> None:
        """Replace some services by fakes."""
        self._app.extensions[EXTENSION] = replace(self.services, **parts)

    def read_topic(self, many: int = 3) -> None:
        """Go live with the events of the orders o0, o1, … in the ring."""
        ring = self.services.ring
        ring.open(Position(TOPIC_ID, (0, 0)))
        ring.append(
            [Event(0, n, n, event(f"o{n}"), "order.placed", f"o{n}") for n in range(many)],
            Position(TOPIC_ID, (many, 0)),
        )
        topic = FakeTopic()
        history = History(ring, topic, topic.open_reader, timeout_s=1, event_bytes=10_000)
        self.replace(history=history)
        self.state = "live"

    def read_figures(self, payload: bytes) -> None:
        """Let figures come."""
        self.services.stats.put(read_stats(payload))

    def get_json(self, path: str, **query: Any) -> dict[str, Any]:
        """Return the JSON object that a GET is answered with."""
        body: dict[str, Any] = self.client.get(path, query_string=query).get_json()
        return body

    def close(self) -> None:
        """Close the sockets of the services."""
        self.services.close()
