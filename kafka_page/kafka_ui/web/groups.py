"""The page of consumer groups and, where there is a Connect, of its connectors."""

import time

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from kafka_ui.cluster.admin import Group, Unanswered
from kafka_ui.cluster.connect import connectors
from kafka_ui.cluster.picture import Picture
from kafka_ui.messages.lag import Lag, lags
from kafka_ui.messages.reading import Gone, Limits, Range
from kafka_ui.services import Services, current_services
from kafka_ui.web.connection import gone_check

groups = Blueprint("groups", __name__)

PAGE_S = 1.8
LEAST_READ_S = 0.1


@groups.get("/groups")
def show() -> ResponseReturnValue:
    """Show every group with its members and its lag."""
    services, deadline = current_services(), time.monotonic() + PAGE_S
    picture = services.survey.picture()
    problem, rows = "", []
    silent = ", ".join(broker.name for broker in picture.brokers if broker.state == "silent")
    if not picture.is_known:
        problem = "No broker answers, so which groups there are is not known."
    elif silent:  # a group's coordinator may be there, and asked for it, librdkafka 2.16 may end the process
        problem = f"Which groups there are is not known while a broker does not answer: {silent}."
    else:
        try:
            rows = _rows(services, picture, services.admin.groups(), deadline)
        except Unanswered as error:
            problem = f"Which groups there are is not known now: {error}."
        except Gone:
            return "", 499
    url = services.settings.connect_url
    return render_template(
        "groups.html",
        rows=rows,
        problem=problem,
        connectors=connectors(url) if url else None,
        connect_url=url,
    )


def _rows(
    services: Services, picture: Picture, found: list[Group], deadline: float
) -> list[tuple[Group, list[Lag]]]:
    named = {topic for group in found for topic, _ in group.committed or {}}
    topics = [each for each in picture.topics if each.name in named]
    offsets = services.offsets.ranges(picture, topics)
    ranges = {place: Range(*pair) for place, pair in offsets.items()}
    is_gone, opener = gone_check(request), services.open_reader(picture)
    return [
        (
            group,
            lags(
                group,
                ranges,
                opener,
                Limits(max(LEAST_READ_S, deadline - time.monotonic()), is_gone),
                time.time(),
            ),
        )
        for group in found
    ]
