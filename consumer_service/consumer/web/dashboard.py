"""The dashboard, the history it shows first, and its test button."""

import re

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ServiceUnavailable, TooManyRequests

from consumer.ring.position import Position, UnreadablePosition
from consumer.services import current_services
from consumer.topic.history import WrongTopic
from consumer.topic.kafka import KafkaUnavailable
from consumer.web.errors import InvalidParameter
from consumer.web.parameters import read_parameter

dashboard = Blueprint("dashboard", __name__)

DEFAULT_LIMIT = 99
MAX_LIMIT = 200


@dashboard.get("/")
def page() -> ResponseReturnValue:
    """Render the page with its position: the stream brings what comes after, `/events` what came before."""
    services = current_services()
    position = str(services.ring.position) if services.state() != "starting" else ""
    body = render_template("dashboard.html", position=position, settings=services.settings)
    return body, {"Cache-Control": "no-store"}


@dashboard.get("/events")
def events() -> Response:
    """Answer a page of past events, newest first."""
    services = current_services()
    limit, before = _read_limit(), _read_before()
    if services.state() == "starting":
        raise ServiceUnavailable("The topic has not been read yet.", retry_after=2)
    try:
        payloads, cursor = services.history.page(before, limit)
    except WrongTopic as exc:
        detail = "This cursor belongs to another topic, or to one that was deleted; begin again without it."
        raise InvalidParameter("/before", detail) from exc
    except KafkaUnavailable as exc:
        raise ServiceUnavailable(f"Kafka cannot be read now: {exc}.", retry_after=2) from exc
    end = f'"{cursor}"' if cursor else "null"
    body = b'{"events":[' + b",".join(payloads) + b'],"before":' + end.encode() + b"}"
    return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})


@dashboard.post("/test-event")
def send_test_event() -> ResponseReturnValue:
    """Put a test event on the topic, once a second at most."""
    services = current_services()
    if services.state() != "live":
        raise ServiceUnavailable("Kafka cannot be reached now.", retry_after=5)
    if not services.test_event_limiter.allow():
        raise TooManyRequests("One test event a second is enough.", retry_after=1)
    try:
        return {"id": services.test_events.publish()}, 202
    except KafkaUnavailable as exc:
        raise ServiceUnavailable(f"Kafka did not confirm the event: {exc}.", retry_after=5) from exc


def _read_limit() -> int:
    text = read_parameter(request, "limit") or str(DEFAULT_LIMIT)
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidParameter("/limit", f"limit must be a number from 1 to {MAX_LIMIT}.")
    return int(text)


def _read_before() -> Position | None:
    text = read_parameter(request, "before")
    try:
        return Position.parse(text) if text else None
    except UnreadablePosition as exc:
        detail = "before must be a cursor that an earlier response gave as before."
        raise InvalidParameter("/before", detail) from exc
