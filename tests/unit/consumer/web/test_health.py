from consumer.services import State
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
