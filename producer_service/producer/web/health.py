"""Whether the process is alive, and whether it can take orders."""

from flask import Blueprint, Response
from sqlalchemy.exc import SQLAlchemyError

from producer.domain.backlog import Backlog
from producer.domain.database import ReadOnly
from producer.services import current_services
from producer.web import responses
from producer.web.responses import Check, Outbox, json_response

health = Blueprint("health", __name__, url_prefix="/health")

OLD_EVENT_S = 30


@health.get("/live")
def live() -> Response:
    """Answer 200: the process serves requests."""
    return json_response(responses.Live(status="ok"))


@health.get("/ready")
def ready() -> Response:
    """Answer 200 while the database does. Without Kafka it is `degraded`: orders are taken, their events wait."""
    services = current_services()
    database, outbox = _database_and_outbox()
    kafka = Check.model_validate(services.topic_health())
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
    if (
        kafka.status != "ok"
        or breaker.state == "open"
        or (outbox.oldest_s or 0) > OLD_EVENT_S
        or outbox.parked
    ):
        return "degraded"
    return "ok"


def _database_and_outbox() -> tuple[Check, Outbox]:
    try:
        current_services().database.require_writable()
        backlog = current_services().measure_backlog()
    except (SQLAlchemyError, ReadOnly) as error:
        problem = str(error).splitlines()[0]
        return Check(status="unavailable", detail=problem), Outbox(rows=None, oldest_s=None, parked=None)
    return Check(status="ok"), _outbox(backlog)


def _outbox(backlog: Backlog) -> Outbox:
    """A parked event waits for an operator, so the check says how to look at it."""
    outbox = Outbox(rows=backlog.rows, oldest_s=backlog.oldest_s, parked=backlog.parked)
    if backlog.parked:
        outbox.detail = f"Kafka refused {backlog.parked} events; to see them: ./start_project.sh parked"
    return outbox
