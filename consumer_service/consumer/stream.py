"""`/stream`: 200 in every case, because anything else ends a browser's EventSource for good."""

import random
from collections.abc import Iterable

from flask import Blueprint, Response, current_app, request

from consumer import sse
from consumer.arrival import arrive
from consumer.handover import can_hand_over, hand_over
from consumer.service import Service

blueprint = Blueprint("stream", __name__)

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RETRY_MS = (1000, 3000)
BUSY_RETRY_MS = (2000, 6000)


@blueprint.get("/stream")
def stream() -> Response:
    service: Service = current_app.extensions["consumer"]
    if not service.ring.is_open or service.state() == "starting":
        return _answer(_busy("starting"))
    if service.streams >= service.settings.stream_limit:
        return _answer(_busy("streams"))
    if request.method == "HEAD":
        return _answer([])
    return _answer(_events(service))


def _busy(reason: str) -> list[bytes]:
    return [sse.retry(random.randint(*BUSY_RETRY_MS)) + sse.busy(reason)]


def _events(service: Service) -> Iterable[bytes]:
    """Each viewer waits its own time before it comes back, so that a restart is no stampede."""
    viewer = arrive(service.ring, request.headers.get("Last-Event-ID"), request.args.get("from"))
    first = sse.retry(random.randint(*RETRY_MS)) + viewer.greeting(service.state())
    sockets = service.sockets
    if sockets and can_hand_over(request.environ):
        return hand_over(request.environ, lambda sock, chunked: sockets.attach(sock, chunked, viewer, first))
    if gunicorns := request.environ.get("gunicorn.socket"):
        gunicorns.settimeout(service.settings.client_stall_s)
    return service.generators.stream(viewer, first)


def _answer(body: Iterable[bytes]) -> Response:
    return Response(body, mimetype="text/event-stream", headers=HEADERS, direct_passthrough=True)
