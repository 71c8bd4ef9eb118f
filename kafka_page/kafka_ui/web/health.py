"""Alive: the process answers. Ready: it serves its pages, also while no broker answers, and then says `degraded`."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from kafka_ui.services import current_services

health = Blueprint("health", __name__, url_prefix="/health")


@health.get("/live")
def live() -> ResponseReturnValue:
    """Answer 200: the process serves requests."""
    return {"status": "ok"}


@health.get("/ready")
def ready() -> ResponseReturnValue:
    """Answer 200. A broker that is away is the pages' content, not a fault of theirs."""
    picture = current_services().survey.picture()
    status = "ok" if picture.is_known else "degraded"
    brokers = {broker.name: broker.state for broker in picture.brokers}
    body = {"status": status, "checks": {"kafka": {"status": status, "brokers": brokers}}}
    return body, {"Cache-Control": "no-store"}
