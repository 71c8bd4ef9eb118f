import json

import pytest

from consumer.rate_limit import RateLimiter
from consumer.services import State
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID
from tests.unit.consumer.web.harness import WebHarness


def test_dashboard_page_carries_its_position(web: WebHarness) -> None:
    web.read_topic()
    page = web.client.get("/").text
    assert f'data-position="{TOPIC_ID};0:3,1:0"' in page
    assert "<title>Live Kafka Events</title>" in page
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="module" src=') == 1


def test_events_are_newest_first_and_paged_by_a_cursor(web: WebHarness) -> None:
    web.read_topic()
    first = web.get_json("/events", limit=2)
    assert [each["subject"] for each in first["events"]] == ["o2", "o1"]
    second = web.get_json("/events", limit=2, before=first["before"])
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
def test_invalid_query_parameter_of_events_is_named(web: WebHarness, query: str, pointer: str) -> None:
    web.read_topic()
    response = web.client.get(f"/events?{query}")
    assert response.status_code == 400
    assert response.content_type == "application/problem+json"
    assert json.loads(response.data)["errors"][0]["pointer"] == pointer


def test_events_are_unavailable_with_retry_after_before_the_topic_is_read(web: WebHarness) -> None:
    response = web.client.get("/events")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")


def test_test_event_is_published(web: WebHarness) -> None:
    web.read_topic()
    response = web.client.post("/test-event", headers={"Origin": "http://localhost"})
    assert (response.status_code, response.json) == (202, {"id": "id-1"})


def test_test_events_are_rate_limited(web: WebHarness) -> None:
    web.read_topic()
    web.replace(test_event_limiter=RateLimiter(60, FakeClock()))
    statuses = [web.client.post("/test-event").status_code for _ in range(2)]
    assert statuses == [202, 429]


@pytest.mark.parametrize("state", ["stale", "starting"])
def test_test_event_is_refused_unless_the_consumer_is_live(web: WebHarness, state: State) -> None:
    web.read_topic()
    web.state = state
    assert web.client.post("/test-event").status_code == 503


def test_test_event_that_kafka_did_not_confirm_is_an_error(web: WebHarness) -> None:
    web.read_topic()
    web.publisher.is_down = True
    assert web.client.post("/test-event").status_code == 503
