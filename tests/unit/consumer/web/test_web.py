import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from consumer import create_app
from consumer.config import Settings
from consumer.rate_limit import RateLimiter
from consumer.ring.position import Position
from consumer.ring.types import Event
from consumer.services import EXTENSION, Services, State
from consumer.topic.history import History
from consumer.topic.kafka import KafkaUnavailable
from tests.unit.consumer.fanout.stream_text import blocks
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID, FakeTopic, event


class FakePublisher:
    def __init__(self) -> None:
        self.sent = 0
        self.is_down = False

    def publish(self) -> str:
        if self.is_down:
            raise KafkaUnavailable("no answer")
        self.sent += 1
        return f"id-{self.sent}"


class Front:
    """The web side on a service that was never started, with what it would have read."""

    def __init__(self) -> None:
        self._app = create_app(Settings(kafka_bootstrap_servers="nowhere:1", test_event_interval_s=0))
        self.client: FlaskClient = self._app.test_client()
        self.publisher = FakePublisher()
        self.state: State = "starting"
        self.replace(state=lambda: self.state, test_events=self.publisher)

    @property
    def services(self) -> Services:
        services: Services = self._app.extensions[EXTENSION]
        return services

    def replace(self, **parts: Any) -> None:
        """Put fakes in the place of some services."""
        self._app.extensions[EXTENSION] = replace(self.services, **parts)

    def read_topic(self, many: int = 3) -> None:
        ring = self.services.ring
        ring.open(Position(TOPIC_ID, (0, 0)))
        ring.append([Event(0, n, n, event(f"o{n}")) for n in range(many)], Position(TOPIC_ID, (many, 0)))
        topic = FakeTopic()
        history = History(ring, topic, topic.open_reader, timeout_s=1, event_bytes=10_000)
        self.replace(history=history)
        self.state = "live"


@pytest.fixture
def front() -> Iterator[Front]:
    front = Front()
    yield front
    front.services.close()


def test_every_page_and_error_is_guarded(front: Front) -> None:
    for path in ("/", "/events", "/nowhere", "/static/dashboard.js", "/health/ready", "/stream"):
        with front.client.get(path) as answer:
            headers = answer.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_bears_the_position_it_was_made_at(front: Front) -> None:
    front.read_topic()
    page = front.client.get("/").text
    assert f'data-position="{TOPIC_ID};0:3,1:0"' in page
    assert "<title>Live Kafka Events</title>" in page
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="module" src=') == 1


def test_events_are_newest_first_and_page_back(front: Front) -> None:
    front.read_topic()
    first = front.client.get("/events?limit=2").json
    assert [each["subject"] for each in first["events"]] == ["o2", "o1"]
    second = front.client.get("/events", query_string={"limit": 2, "before": first["before"]}).json
    assert ([each["subject"] for each in second["events"]], second["before"]) == (["o0"], None)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=ten", "/limit"),
        ("limit=%D9%A3", "/limit"),
        ("before=x", "/before"),
        (f"before={'B' * 22};0:1", "/before"),
    ],
)
def test_a_bad_query_names_its_field(front: Front, query: str, pointer: str) -> None:
    front.read_topic()
    answer = front.client.get(f"/events?{query}")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert json.loads(answer.data)["errors"][0]["pointer"] == pointer


def test_before_the_topic_is_read_it_says_when_to_ask_again(front: Front) -> None:
    answer = front.client.get("/events")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_the_stream_answers_200_even_before_it_can_serve(front: Front) -> None:
    answer = front.client.get("/stream")
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.data.startswith(b"retry: ")
    assert [(block.event, block.json) for block in blocks(answer.data)] == [("busy", {"reason": "starting"})]


def test_one_viewer_too_many_is_told_busy(front: Front) -> None:
    front.read_topic()
    front.services.generators.count = front.services.settings.stream_limit
    assert blocks(front.client.get("/stream").data)[0].json == {"reason": "streams"}


def test_the_fallback_streams_from_a_generator(front: Front) -> None:
    front.read_topic()
    answer = front.client.get("/stream", headers={"Last-Event-ID": f"{TOPIC_ID};0:2,1:0"}, buffered=False)
    body = answer.response
    first, missed = next(body), next(body)  # type: ignore[call-overload]  # an iterator, unbuffered
    assert blocks(first)[0].json["state"] == "live"
    assert blocks(missed)[0].data == event("o2").decode()
    assert front.services.open_streams == 1
    answer.close()
    assert front.services.open_streams == 0


def test_readiness_follows_the_state(front: Front) -> None:
    answers = {}
    for front.state in ("starting", "live", "stale"):
        answer = front.client.get("/health/ready")
        answers[front.state] = (answer.status_code, answer.json["status"])
    assert answers == {"starting": (503, "unavailable"), "live": (200, "ok"), "stale": (200, "degraded")}
    assert front.client.get("/health/live").json == {"status": "ok"}


def test_a_test_event_is_accepted(front: Front) -> None:
    front.read_topic()
    answer = front.client.post("/test-event", headers={"Origin": "http://localhost"})
    assert (answer.status_code, answer.json) == (202, {"id": "id-1"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:5001"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_foreign_page_may_not_send_one(front: Front, headers: dict[str, str]) -> None:
    front.read_topic()
    assert front.client.post("/test-event", headers=headers).status_code == 403
    assert front.publisher.sent == 0


def test_one_a_second_is_enough(front: Front) -> None:
    front.read_topic()
    front.replace(test_event_limiter=RateLimiter(60))
    answers = [front.client.post("/test-event").status_code for _ in range(2)]
    assert answers == [202, 429]


@pytest.mark.parametrize("state", ["stale", "starting"])
def test_without_kafka_no_test_event_is_promised(front: Front, state: str) -> None:
    front.read_topic()
    front.state = state
    assert front.client.post("/test-event").status_code == 503


def test_one_that_kafka_did_not_confirm_is_not_promised(front: Front) -> None:
    front.read_topic()
    front.publisher.is_down = True
    assert front.client.post("/test-event").status_code == 503


@pytest.mark.parametrize("host", ["localhost.evil.com", "evil.example", "127.0.0.1.evil.example"])
def test_a_foreign_host_name_is_refused(front: Front, host: str) -> None:
    answer = front.client.get("/", headers={"Host": host})
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize("host", ["localhost:5002", "127.0.0.1:5002", "[::1]:5002"])
def test_our_own_host_names_are_served(front: Front, host: str) -> None:
    assert front.client.get("/health/live", headers={"Host": host}).status_code == 200
