"""Alive: the process answers. Ready: it has read the topic once; after that it stays ready and says
`degraded` when it may be behind, so that a Kafka outage does not take every replica out at once."""

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue

from consumer.service import Service

blueprint = Blueprint("health", __name__, url_prefix="/health")

STATUS = {"starting": "unavailable", "live": "ok", "stale": "degraded"}


@blueprint.get("/live")
def live() -> ResponseReturnValue:
    return {"status": "ok"}


@blueprint.get("/ready")
def ready() -> ResponseReturnValue:
    service: Service = current_app.extensions["consumer"]
    state = service.state()
    body = {"status": STATUS[state], "checks": _checks(service, state)}
    return body, 503 if state == "starting" else 200, {"Cache-Control": "no-store"}


def _checks(service: Service, state: str) -> dict[str, object]:
    kafka: dict[str, object] = {"status": STATUS[state]}
    if service.watch and service.watch.problem:
        kafka["detail"] = service.watch.problem
    checks: dict[str, object] = {"kafka": kafka, "streams": {"open": service.streams}}
    if service.ring.is_open:
        kafka["position"] = str(service.ring.position)
    if service.tail:
        counts = service.tail.counts
        checks["events"] = {"shown": counts.shown, "repeats": counts.repeats, "unreadable": counts.unreadable}
    return checks
