from consumer.services import State
from tests.unit.consumer.topic.order_stats import figures
from tests.unit.consumer.web.harness import WebHarness


def test_readiness_follows_the_state(web: WebHarness) -> None:
    expected: dict[State, tuple[int, str]] = {
        "starting": (503, "unavailable"),
        "live": (200, "ok"),
        "stale": (200, "degraded"),
    }
    for web.state, (status_code, status) in expected.items():
        assert web.client.get("/health/ready").status_code == status_code
        assert web.get_json("/health/ready")["status"] == status
    assert web.get_json("/health/live") == {"status": "ok"}


def test_readiness_tells_what_is_wrong_with_kafka(web: WebHarness) -> None:
    monitor = web.services.monitor
    monitor.problem, monitor.stall = "no answer", "nothing has come from partition 0 for 10 s"
    assert web.get_json("/health/ready")["checks"]["kafka"]["detail"] == "no answer"
    monitor.problem = ""
    assert web.get_json("/health/ready")["checks"]["kafka"]["detail"] == monitor.stall
    monitor.stall = ""
    assert "detail" not in web.get_json("/health/ready")["checks"]["kafka"]


def test_figures_that_do_not_come_are_told_and_make_nothing_degraded(web: WebHarness) -> None:
    web.read_topic()
    web.services.stats_tail.problem = "the topic does not exist"
    body = web.get_json("/health/ready")
    assert (body["status"], body["checks"]["figures"]) == (
        "ok",
        {"received": 0, "unreadable": 0, "detail": "the topic does not exist"},
    )
    web.read_figures(figures())
    web.services.stats_tail.problem = ""
    assert web.get_json("/health/ready")["checks"]["figures"] == {
        "received": 1,
        "unreadable": 0,
        "time": "2026-11-22T12:00:00+00:00",
    }


def test_that_figures_are_read_from_nowhere_is_told(web: WebHarness) -> None:
    web.replace(settings=web.services.settings.model_copy(update={"kafka_stats_topic": ""}))
    found = web.get_json("/health/ready")["checks"]["figures"]
    assert found["detail"] == "KAFKA_STATS_TOPIC is empty"
