import json
from collections.abc import Iterator
from typing import cast

import pytest

from consumer.services import State
from tests.unit.consumer.fanout.stream_text import blocks, shown
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID, event
from tests.unit.consumer.topic.order_stats import figures
from tests.unit.consumer.web.harness import WebHarness


def test_stream_is_200_and_busy_before_the_topic_is_read(web: WebHarness) -> None:
    response = web.client.get("/stream")
    assert (response.status_code, response.mimetype) == (200, "text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.data.startswith(b"retry: ")
    assert [(block.event, block.json) for block in blocks(response.data)] == [
        ("busy", {"reason": "starting"})
    ]


@pytest.mark.parametrize(("state", "bounds"), [("live", (1000, 3000)), ("starting", (2000, 6000))])
def test_viewers_come_back_at_different_times(web: WebHarness, state: State, bounds: tuple[int, int]) -> None:
    """A restart must be no stampede."""
    web.read_topic()
    web.state = state
    times = set()
    for _ in range(30):
        response = web.client.get("/stream", buffered=False)
        first = next(iter(cast("Iterator[bytes]", response.response)))
        times.add(int(first.split()[1]))
        response.close()
    assert len(times) > 10
    assert bounds[0] <= min(times)
    assert max(times) <= bounds[1]


def test_stream_is_busy_beyond_the_stream_limit(web: WebHarness) -> None:
    web.read_topic()
    web.services.generators.count = web.services.settings.stream_limit
    assert blocks(web.client.get("/stream").data)[0].json == {"reason": "streams"}


def test_stream_falls_back_to_a_generator(web: WebHarness) -> None:
    web.read_topic()
    response = web.client.get("/stream", headers={"Last-Event-ID": f"{TOPIC_ID};0:2,1:0"}, buffered=False)
    body = cast("Iterator[bytes]", response.response)
    first, missed = next(body), next(body)
    assert blocks(first)[0].json["state"] == "live"
    assert blocks(missed)[0].data == event("o2").decode()
    assert web.services.open_streams == 1
    response.close()
    assert web.services.open_streams == 0


@pytest.mark.parametrize("query", ["type=placed", "type=order.placed&type=x", "order=" + "x" * 201])
def test_filter_that_no_event_could_pass_is_refused_as_a_stream(web: WebHarness, query: str) -> None:
    """An error status would end the browser's EventSource without a word."""
    web.read_topic()
    response = web.client.get(f"/stream?{query}")
    assert response.status_code == 200
    assert [(b.event, b.json) for b in blocks(response.data)] == [("busy", {"reason": "filter"})]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("order=o1", ["o1"]), ("type=order.placed&order=o2", ["o2"]), ("type=order.shipped", [])],
)
def test_stream_is_filtered_by_type_and_order(web: WebHarness, query: str, expected: list[str]) -> None:
    web.read_topic()
    response = web.client.get(f"/stream?from={TOPIC_ID};0:0,1:0&{query}", buffered=False)
    body = cast("Iterator[bytes]", response.response)
    next(body)
    web.services.ring.append([], web.services.ring.position)
    found = shown(next(body)) if expected else []
    assert [json.loads(data)["subject"] for data in found] == expected
    response.close()


@pytest.mark.parametrize(
    ("query", "named"),
    [("", ["status"]), ("stats=1", ["status", "stats"]), ("stats=0", ["status"]), ("stats=true", ["status"])],
)
def test_figures_are_streamed_only_to_who_asks(web: WebHarness, query: str, named: list[str]) -> None:
    web.read_topic()
    web.read_figures(figures())
    response = web.client.get(f"/stream?from={TOPIC_ID};0:2,1:0&{query}", buffered=False)
    body = cast("Iterator[bytes]", response.response)
    received = b""
    while not shown(received):
        received += next(body)
    assert [block.event for block in blocks(received)] == [*named, "message"]
    response.close()
