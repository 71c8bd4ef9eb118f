"""Whether the process is alive, and whether it can take orders."""

from collections.abc import Callable

from flask import Blueprint, Response
from sqlalchemy.exc import SQLAlchemyError

from producer.cached import Overdue
from producer.domain.database import ReadOnly
from producer.domain.shortage import OutOfResources
from producer.services import current_services
from producer.web import responses
from producer.web.backlog import refusal_when_full
from producer.web.responses import Check, Outbox, json_response

health = Blueprint("health", __name__, url_prefix="/health")

OLD_EVENT_S = 30


@health.get("/live")
def live() -> Response:
    """Answer 200: the process serves requests."""
    return json_response(responses.Live(status="ok"))


@health.get("/ready")
def ready() -> Response:
    """Answer 200 while the database does. Without Kafka it is `degraded`: orders are taken, their events wait.

    So it is while new orders are refused for what waits, or because nobody knows how much does.
    """
    services = current_services()
    # Beside the others: when all are frozen, the waits must not add up.
    topic_health = services.topic_health.begin()
    database = _database()
    outbox = Outbox(rows=None, oldest_s=None, parked=None)
    if database.status == "ok":
        outbox = _outbox()
        if (refusal := refusal_when_full(services)) is not None:
            outbox.refusal = refusal.description
    kafka = _kafka(topic_health)
    breaker = responses.Breaker(state=services.publisher.breaker.state)
    body = responses.Ready(
        status=_status(database, kafka, outbox, breaker),
        checks=responses.Checks(database=database, kafka=kafka, outbox=outbox, breaker=breaker),
    )
    return json_response(body, 503 if body.status == "unavailable" else 200)


def _status(
    database: Check, kafka: Check, outbox: Outbox, breaker: responses.Breaker
) -> responses.ReadyStatus:
    if database.status != "ok":
        return "unavailable"
    if outbox.refusal is not None:
        return "degraded"
    is_old = outbox.rows is None or (outbox.oldest_s or 0) > OLD_EVENT_S
    if kafka.status != "ok" or breaker.state == "open" or is_old or outbox.parked:
        return "degraded"
    return "ok"


def _kafka(topic_health: Callable[[], dict[str, str]]) -> Check:
    try:
        return Check.model_validate(topic_health())
    except Overdue as error:
        return Check(status="unavailable", detail=str(error))


def _database() -> Check:
    try:
        current_services().database_health()
    except (SQLAlchemyError, ReadOnly, OutOfResources, Overdue) as error:
        return Check(status="unavailable", detail=str(error).splitlines()[0])
    return Check(status="ok")


def _outbox() -> Outbox:
    """Count what waits. A very long outbox may take too long to count; orders are taken all the same."""
    try:
        backlog = current_services().outbox_health()
    except (SQLAlchemyError, Overdue):
        return Outbox(rows=None, oldest_s=None, parked=None)
    outbox = Outbox(rows=backlog.rows, oldest_s=backlog.oldest_s, parked=backlog.parked)
    if backlog.parked:  # they wait for an operator, so the check says how to look at them
        outbox.detail = f"Kafka refused {backlog.parked} events; to see them: ./start_project.sh parked"
    return outbox
