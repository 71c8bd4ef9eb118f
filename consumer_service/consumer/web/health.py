"""Alive: the process answers. Ready: it has read the topic once.

After that it stays ready and says `degraded` when it may be behind, so that a Kafka outage does not take every
replica out at once."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from consumer.services import Services, current_services

health = Blueprint("health", __name__, url_prefix="/health")

STATUS = {"starting": "unavailable", "live": "ok", "stale": "degraded"}


@health.get("/live")
def live() -> ResponseReturnValue:
    """Answer 200: the process serves requests."""
    return {"status": "ok"}


@health.get("/ready")
def ready() -> ResponseReturnValue:
    """Answer 200 from the first catch-up on."""
    services = current_services()
    state = services.state()
    body = {"status": STATUS[state], "checks": _checks(services, state)}
    return body, 503 if state == "starting" else 200, {"Cache-Control": "no-store"}


def _checks(services: Services, state: str) -> dict[str, object]:
    kafka: dict[str, object] = {"status": STATUS[state]}
    if problem := services.monitor.problem or services.monitor.stall:
        kafka["detail"] = problem
    if services.ring.is_open:
        kafka["position"] = str(services.ring.position)
    counts = services.tail.counts
    return {
        "kafka": kafka,
        "streams": {"open": services.open_streams},
        "events": {"shown": counts.shown, "repeats": counts.repeats, "unreadable": counts.unreadable},
        "figures": _figures(services),
    }


def _figures(services: Services) -> dict[str, object]:
    """Tell of which moment the figures are. That there are none, or no new ones, makes nothing here degraded."""
    number, stats = services.stats.get()
    found: dict[str, object] = {"received": number, "unreadable": services.stats_tail.unreadable}
    if stats:
        found["time"] = stats.time.isoformat()
    if not services.settings.kafka_stats_topic:
        found["detail"] = "KAFKA_STATS_TOPIC is empty"
    elif problem := services.stats_tail.problem:
        found["detail"] = problem
    return found
