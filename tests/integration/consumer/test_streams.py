"""The stream as a viewer gets it: every event once, from its position on, or a gap event."""

import json
from collections import Counter
from datetime import UTC, datetime
from unittest.mock import ANY

import pytest
import requests

from tests.eventually import eventually
from tests.integration.consumer.conftest import Server, StartServer, Topic
from tests.unit.consumer.topic.fake_kafka import event


def order_events(count: int, name: str = "o") -> list[bytes]:
    return [event(f"{name}{n}") for n in range(count)]


def decoded(values: list[bytes]) -> list[str]:
    return [value.decode() for value in values]


def test_streams_opened_at_different_times_each_get_every_event_once(
    topic: Topic, consumer_server: Server
) -> None:
    first_half, second_half = order_events(60, "a"), order_events(60, "b")
    with consumer_server.listen() as early:
        topic.put(*first_half)
        early.wait_for(60)
        with consumer_server.listen() as late, consumer_server.listen(start=early.position) as other:
            for n, value in enumerate(second_half):
                topic.put(value, partition=n % 3)
            assert Counter(early.wait_for(120)) == Counter(decoded(first_half + second_half))
            assert Counter(late.wait_for(60)) == Counter(other.wait_for(60)) == Counter(decoded(second_half))


def test_stream_begins_with_a_status_event_and_repeats_it(start_server: StartServer) -> None:
    server = start_server(heartbeat_s=0.5)
    with server.listen() as listener:
        assert listener.response.status == 200
        assert listener.response.headers["Content-Type"].startswith("text/event-stream")
        eventually(lambda: len(listener.named("status")) >= 3)
        assert {block.event for block in listener.blocks} == {"status"}
        assert listener.named("status")[0] == {
            "state": "live",
            "position": listener.position,
            "time": ANY,
        }


def test_garbage_is_skipped_counted_and_logged_and_event_bytes_are_unchanged(
    topic: Topic, consumer_server: Server
) -> None:
    pretty = json.dumps(json.loads(event("p")), indent=1).encode()
    spaced = event("s").replace(b":", b" : ")
    with consumer_server.listen() as listener:
        topic.put(event("a"), b"\xff garbage", None, b"[]", pretty, partition=1)
        topic.put(spaced, event("a"), event("ü"), partition=1)
        assert listener.wait_for(4) == decoded([event("a"), pretty, spaced, event("ü")])
    assert consumer_server.checks["events"] == {"shown": 4, "repeats": 1, "unreadable": 3}
    for offset in (1, 2, 3):
        assert f"partition 1 offset {offset}" in consumer_server.log


def test_viewer_resumes_after_a_restart_without_missing_an_event(
    topic: Topic, consumer_server: Server
) -> None:
    topic.put(*order_events(30, "before"), partition=1)
    eventually(lambda: consumer_server.checks["events"]["shown"] == 30)
    with consumer_server.listen() as listener:
        topic.put(*order_events(30, "seen"))
        listener.wait_for(30)
        position = listener.position
        topic.put(*order_events(5, "perhaps"), partition=2)
        assert consumer_server.stop() == 0
    topic.put(*order_events(40, "missed"), partition=1)
    consumer_server.start()
    expected = decoded(order_events(5, "perhaps") + order_events(40, "missed"))
    with consumer_server.listen(last_event_id=position) as again:
        assert Counter(again.wait_for(45)) == Counter(expected)
        assert again.named("gap") == []


def test_stream_can_begin_at_a_time(topic: Topic, consumer_server: Server) -> None:
    topic.put(*order_events(3, "old"))
    eventually(lambda: consumer_server.checks["events"]["shown"] == 3)
    moment = datetime.now(UTC)
    topic.put(*order_events(3, "new"), partition=1)
    eventually(lambda: consumer_server.checks["events"]["shown"] == 6)
    with consumer_server.listen(start=moment.isoformat()) as listener:
        assert listener.wait_for(3) == decoded(order_events(3, "new"))
        assert listener.named("gap") == []


def test_gap_is_sent_when_retention_deleted_events_during_a_restart(
    topic: Topic, consumer_server: Server
) -> None:
    with consumer_server.listen() as listener:
        position = listener.position
    consumer_server.stop()
    topic.put(*order_events(10))
    topic.delete_before(0, 7)
    consumer_server.start()
    with consumer_server.listen(last_event_id=position) as late:
        assert late.wait_for(3) == decoded(order_events(10))[7:]
        assert [(gap["reason"], gap["lost"]) for gap in late.named("gap")] == [("expired", {"0": [0, 7]})]


@pytest.mark.parametrize("position", ["nonsense", "A" * 22, "A" * 22 + ";0:1"])
def test_gap_is_sent_for_a_foreign_position_and_the_stream_goes_on(
    topic: Topic, consumer_server: Server, position: str
) -> None:
    with consumer_server.listen(last_event_id=position) as listener:
        (gap,) = eventually(lambda: listener.named("gap"))
        assert gap["reason"] == ("recreated" if ";" in position else "unreadable")
        topic.put(event("a"))
        assert listener.wait_for(1) == decoded([event("a")])


def test_gap_is_sent_for_a_recreated_topic_that_is_read_from_its_beginning(
    topic: Topic, start_server: StartServer
) -> None:
    server = start_server(watch_interval_s=0.2)
    with server.listen() as listener:
        topic.put(*order_events(5))
        listener.wait_for(5)
        topic.delete()
        topic.create()
        topic.put(*order_events(8, "new"), partition=1)
        assert listener.wait_for(13)[5:] == decoded(order_events(8, "new"))
        assert [gap["reason"] for gap in listener.named("gap")] == ["recreated"]


def test_history_pages_back_beyond_the_ring(topic: Topic, start_server: StartServer) -> None:
    topic.put(*order_events(300))
    server = start_server(ring_events=100)
    pages, before = [], None
    while True:
        page = server.get("/events", limit=120, **({"before": before} if before else {})).json()
        pages.append([each["subject"] for each in page["events"]])
        before = page["before"]
        if before is None:
            break
    assert [order for page in pages for order in page] == [f"o{n}" for n in range(299, -1, -1)]


def test_test_event_reaches_the_viewers_of_every_replica_through_kafka(start_server: StartServer) -> None:
    one, two = start_server(), start_server()
    with one.listen() as here, two.listen() as there:
        response = requests.post(f"{one.url}/test-event", timeout=15)
        assert response.status_code == 202
        for listener in (here, there):
            assert json.loads(listener.wait_for(1)[0])["id"] == response.json()["id"]
        with two.listen(last_event_id=here.position) as moved:
            assert moved.named("gap") == []
