"""Whether the process is alive, and whether it has figures to answer with.

Ready while the database answers: figures that are behind are better than none, and health says `degraded` then.
"""

from flask import Blueprint, Response

from projector.services import Services, current_services
from projector.store.database import DatabaseUnavailable
from projector.store.queries import Counts
from projector.web import responses
from projector.web.responses import (
    Check,
    DeadLetters,
    Group,
    Publishing,
    Reading,
    ReadyStatus,
    json_response,
)

health = Blueprint("health", __name__, url_prefix="/health")

HOW_TO_LOOK = "to see them: ./start_project.sh dlq list"


@health.get("/live")
def live() -> Response:
    """Answer 200: the process serves requests."""
    return json_response(responses.Live(status="ok"))


@health.get("/ready")
def ready() -> Response:
    """Answer 200 while the database answers."""
    services = current_services()
    group, figures = _group(services), _figures(services)
    try:
        counts = services.health.counts()
        reading, dead_letters = _reading(services, counts), _dead_letters(services, counts)
    except DatabaseUnavailable as error:
        database = Check(status="unavailable", detail=str(error))
        checks = responses.Checks(database=database, group=group, figures=figures)
        return json_response(responses.Ready(status="unavailable", checks=checks), 503)
    checks = responses.Checks(
        database=Check(status="ok"), group=group, reading=reading, dead_letters=dead_letters, figures=figures
    )
    all_ok = {group.status, reading.status, dead_letters.status, figures.status} == {"ok"}
    return json_response(responses.Ready(status=_status(all_ok), checks=checks))


def _status(is_ok: bool) -> ReadyStatus:
    return "ok" if is_ok else "degraded"


def _group(services: Services) -> Group:
    problem = services.loop.problem
    found = Group(
        status=_status(not problem),
        instance=services.settings.projector_instance_id,
        partitions=services.loop.partitions,
    )
    if problem:
        found.detail = problem
    return found


def _figures(services: Services) -> Publishing:
    """Degraded while they cannot be published: they are right, but the dashboards show those of before."""
    stats = services.stats
    found = Publishing(
        status=_status(not stats.problem),
        is_ours=stats.is_publishing,
        published=stats.published,
        failed=stats.failed,
    )
    if stats.problem:
        found.detail = f"the dashboards' figures cannot be published: {stats.problem}"
    return found


def _reading(services: Services, counts: Counts) -> Reading:
    positions = services.health.positions()
    behind_s = services.watch.behind_s
    is_near = services.watch.has_caught_up and behind_s <= services.settings.projector_stale_after_s
    found = Reading(
        status=_status(is_near),
        lag=sum(services.watch.lag(positions).values()),
        behind_s=round(behind_s, 1),
        repeats=counts.repeats,
        ignored=counts.ignored,
        skipped=sum(each.skipped for each in positions.values()),
        recreated=sum(each.recreated for each in positions.values()),
    )
    if detail := _missing(services, found):
        found.detail = detail
    return found


def _missing(services: Services, found: Reading) -> str:
    told = []
    if found.status != "ok":
        told.append(f"behind for {found.behind_s:.0f} s, by {found.lag} messages as far as is known")
    told += [f"Kafka cannot be asked: {services.watch.problem}"] if services.watch.problem else []
    if found.skipped:
        told.append(f"Kafka no longer had {found.skipped} offsets when they were to be read")
    if found.recreated:
        told.append("the topic was created again, and read from its beginning")
    return "; ".join(told)


def _dead_letters(services: Services, counts: Counts) -> DeadLetters:
    """Degraded while orders are held back. Garbage of no order waits for an operator, too, and harms nobody."""
    problem = services.dead_letters.problem
    found = DeadLetters(
        status=_status(not counts.orders and not problem),
        parked=counts.parked,
        orders=counts.orders,
        unpublished=counts.unpublished,
    )
    told = (
        [f"parked messages: {counts.parked}, of {counts.orders} orders; {HOW_TO_LOOK}"]
        if counts.parked
        else []
    )
    told += [f"they cannot be published: {problem}"] if problem else []
    if told:
        found.detail = "; ".join(told)
    return found
