"""The page, the past it shows first, and its test button."""

import re

from flask import Blueprint, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue

from consumer.errors import Problem
from consumer.history import WrongTopic
from consumer.kafka import KafkaUnavailable
from consumer.position import Position, UnreadablePosition
from consumer.service import Service

blueprint = Blueprint("dashboard", __name__)

MOST = 200
DEFAULT = 99


@blueprint.get("/")
def page() -> ResponseReturnValue:
    """Bears the position it was made at: the stream brings what comes after, `/events` what was before."""
    service = _service()
    position = str(service.ring.position) if service.state() != "starting" else ""
    body = render_template("dashboard.html", position=position, producer_url=service.settings.producer_url)
    return body, {"Cache-Control": "no-store"}


@blueprint.get("/events")
def events() -> Response:
    service = _service()
    limit, before = _limit(), _before()
    if service.history is None or service.state() == "starting":
        raise Problem(503, "The topic has not been read yet.", retry_after=2)
    try:
        payloads, cursor = service.history.page(before, limit)
    except WrongTopic as exc:
        detail = "This cursor is of a topic that was deleted since; begin again without it."
        raise Problem(400, detail, pointer="/before") from exc
    except KafkaUnavailable as exc:
        raise Problem(503, f"Kafka cannot be read now: {exc}.", retry_after=2) from exc
    end = f'"{cursor}"' if cursor else "null"
    body = b'{"events":[' + b",".join(payloads) + b'],"before":' + end.encode() + b"}"
    return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})


@blueprint.post("/test-event")
def test_event() -> ResponseReturnValue:
    service = _service()
    if service.state() != "live":
        raise Problem(503, "Kafka cannot be reached now.", retry_after=5)
    if not service.turnstile.passes():
        raise Problem(429, "One test event a second is enough.", retry_after=1)
    try:
        return {"id": service.publisher.send()}, 202
    except KafkaUnavailable as exc:
        raise Problem(503, f"Kafka did not confirm the event: {exc}.", retry_after=5) from exc


def _service() -> Service:
    service: Service = current_app.extensions["consumer"]
    return service


def _limit() -> int:
    text = request.args.get("limit", str(DEFAULT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST:
        raise Problem(400, f"limit is a number from 1 to {MOST}.", pointer="/limit")
    return int(text)


def _before() -> Position | None:
    text = request.args.get("before")
    try:
        return Position.parse(text) if text else None
    except UnreadablePosition as exc:
        raise Problem(400, "before is not a cursor from an earlier answer.", pointer="/before") from exc
