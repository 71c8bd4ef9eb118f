"""Kafka UI's web application on a cluster in memory."""

from collections.abc import Sequence
from dataclasses import replace

from flask.testing import FlaskClient

from kafka_ui import create_app
from kafka_ui.cluster.admin import Admin, Group, Setting, Unanswered
from kafka_ui.cluster.offsets import Offsets
from kafka_ui.cluster.overview import Overview
from kafka_ui.cluster.picture import Answer
from kafka_ui.cluster.rates import Rates
from kafka_ui.cluster.survey import Survey
from kafka_ui.config import Settings
from kafka_ui.services import EXTENSION, Services
from kafka_ui.wire.questions import Place, Question
from tests.unit.kafka_ui.cluster.answers import ADDRESSES, ALL, answer
from tests.unit.kafka_ui.messages.fake_topic import FakeTopic, message


class FakeAdmin(Admin):
    """Answers from memory. groups_known: None while Kafka does not answer."""

    def __init__(self) -> None:
        self.settings_known: list[Setting] | None = [
            Setting("min.insync.replicas", "2", True),
            Setting("retention.ms", "604800000", False),
        ]
        self.groups_known: list[Group] | None = []

    def settings(self, topic: str) -> list[Setting]:
        """Return what is known. Raises Unanswered."""
        if self.settings_known is None:
            raise Unanswered("no answer in time")
        return self.settings_known

    def groups(self) -> list[Group]:
        """Return what is known. Raises Unanswered."""
        if self.groups_known is None:
            raise Unanswered("no answer in time")
        return self.groups_known


class WebHarness:
    """A test client. answers: what each broker says, by its address; topic: the messages of `orders`."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {ADDRESSES[each]: answer(each) for each in ALL}
        self.topic = FakeTopic(
            message(0, 0, 1000, key=b"order-a", value=b'{"version":1}', event=b"event-1"),
            message(0, 1, 2000, key=b"order-a", value=b'{"version":2}', event=b"event-2"),
            message(1, 0, 3000, key=b"order-b", value=b"\xff\x00", event=b"event-3"),
        )
        self.admin = FakeAdmin()
        settings = Settings(kafka_bootstrap_servers=",".join(ADDRESSES.values()))
        self._app = create_app(settings)
        offsets = Offsets(self._offsets)
        self._app.extensions[EXTENSION] = replace(
            self.services,
            survey=Survey(settings.bootstrap_addresses, self._ask, clock=lambda: 0.0),
            admin=self.admin,
            offsets=offsets,
            overview=Overview(self.admin, offsets, Rates()),
            open_reader=lambda picture: self.topic,
        )
        self.client: FlaskClient = self._app.test_client()

    @property
    def services(self) -> Services:
        """The services that requests use now."""
        services: Services = self._app.extensions[EXTENSION]
        return services

    def text(self, path: str, status: int = 200) -> str:
        """Return the page at a path. Raises AssertionError when it has another status."""
        response = self.client.get(path)
        assert response.status_code == status, response.text
        return response.text

    def _ask(self, address: str) -> Answer:
        return self.answers[address]

    def _offsets(
        self, leader: str, questions: Sequence[Question[dict[Place, int]]]
    ) -> list[dict[Place, int]]:
        ends = {("orders", partition): end for partition, end in self.topic.ends.items()}
        return [dict.fromkeys(ends, 0), ends][-len(questions) :]
