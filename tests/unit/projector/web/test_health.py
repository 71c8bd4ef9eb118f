from collections.abc import Callable
from dataclasses import replace

import pytest

from projector.readmodel.placement import Position
from tests.described_api import DescribedApi
from tests.unit.projector.web.harness import WebHarness


def test_live(web: WebHarness, described: DescribedApi) -> None:
    described.hold("get", "/health/live", web.client.get("/health/live"))


def test_all_is_well(web: WebHarness, described: DescribedApi) -> None:
    response = web.client.get("/health/ready")
    described.hold("get", "/health/ready", response)
    body = response.get_json()
    assert body["status"] == "ok"
    assert body["checks"]["reading"]["lag"] == 2
    assert body["checks"]["group"] == {"status": "ok", "instance": "projector-1", "partitions": [0, 1]}
    assert body["checks"]["figures"] == {"status": "ok", "is_ours": True, "published": 3, "failed": 1}


def stand_still(web: WebHarness) -> None:
    web.loop.problem = "Kafka: no answer"


def fall_behind(web: WebHarness) -> None:
    web.watch.behind_s = 60.0


def begin_behind(web: WebHarness) -> None:
    web.watch.has_caught_up, web.watch.behind_s = False, 3.0


def park(web: WebHarness) -> None:
    web.queries.counted = replace(web.queries.counted, parked=2, orders=1)


def fail_to_publish(web: WebHarness) -> None:
    web.dead_letters.problem = "no answer"


def fail_to_publish_figures(web: WebHarness) -> None:
    web.stats.problem = "no answer"


@pytest.mark.parametrize(
    ("happens", "check", "detail"),
    [
        (stand_still, "group", "Kafka: no answer"),
        (fall_behind, "reading", "behind for 60 s, by 2 messages as far as is known"),
        (begin_behind, "reading", "behind for 3 s, by 2 messages as far as is known"),
        (park, "dead_letters", "parked messages: 2, of 1 orders; to see them: ./start_project.sh dlq list"),
        (fail_to_publish, "dead_letters", "they cannot be published: no answer"),
        (
            fail_to_publish_figures,
            "figures",
            "the dashboards' figures cannot be published: no answer",
        ),
    ],
)
def test_degraded_says_why(
    web: WebHarness,
    described: DescribedApi,
    happens: Callable[[WebHarness], None],
    check: str,
    detail: str | None,
) -> None:
    happens(web)
    response = web.client.get("/health/ready")
    described.hold("get", "/health/ready", response)
    body = response.get_json()
    assert (response.status_code, body["status"], body["checks"][check]["status"]) == (
        200,
        "degraded",
        "degraded",
    )
    assert body["checks"][check].get("detail") == detail


def test_garbage_of_no_order_is_told_without_an_alarm(web: WebHarness) -> None:
    web.queries.counted = replace(web.queries.counted, parked=3, orders=0)
    body = web.client.get("/health/ready").get_json()
    assert body["status"] == "ok"
    assert body["checks"]["dead_letters"]["parked"] == 3


def test_what_figures_lack_is_told_without_an_alarm(web: WebHarness) -> None:
    web.queries.stored = {0: Position("topic-1", 9, skipped=5, recreated=1)}
    body = web.client.get("/health/ready").get_json()
    assert body["status"] == "ok"
    assert body["checks"]["reading"]["skipped"] == 5
    assert "5 offsets" in body["checks"]["reading"]["detail"]
    assert "created again" in body["checks"]["reading"]["detail"]


def test_without_the_database_it_is_not_ready(web: WebHarness, described: DescribedApi) -> None:
    web.queries.is_down = True
    response = web.client.get("/health/ready")
    described.hold("get", "/health/ready", response)
    assert (response.status_code, response.get_json()["status"]) == (503, "unavailable")
    assert web.client.get("/health/live").status_code == 200
