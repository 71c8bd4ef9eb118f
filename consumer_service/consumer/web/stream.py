"""`/stream`: 200 in every case, because anything else ends a browser's EventSource for good."""

import random
from collections.abc import Iterable

from flask import Blueprint, Response, request

from consumer.fanout import sse
from consumer.fanout.filter import Filter, UnreadableFilter
from consumer.fanout.hijack import can_hijack, hijack
from consumer.fanout.resume import resume
from consumer.services import Services, current_services
from consumer.web.parameters import read_parameter, read_parameters

stream = Blueprint("stream", __name__)

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RETRY_MS = (1000, 3000)
BUSY_RETRY_MS = (2000, 6000)


@stream.get("/stream")
def open_stream() -> Response:
    """Answer an event stream that begins where the browser left off."""
    services = current_services()
    try:
        wanted = Filter.parse(read_parameters(request, "type"), read_parameter(request, "order") or "")
    except UnreadableFilter:
        return busy_response("filter")
    if not services.ring.is_open or services.state() == "starting":
        return busy_response("starting")
    if services.open_streams >= services.settings.stream_limit:
        return busy_response("streams")
    if request.method == "HEAD":
        return _respond([])
    return _respond(_events(services, wanted))


def busy_response(reason: str) -> Response:
    """Return a stream that refuses, says when to come back, and ends."""
    return _respond([sse.retry(random.randint(*BUSY_RETRY_MS)) + sse.busy(reason)])


def _events(services: Services, wanted: Filter) -> Iterable[bytes]:
    """Return the stream. Each viewer gets its own retry time, so that a restart is no stampede."""
    last_event_id, start = request.headers.get("Last-Event-ID"), read_parameter(request, "from")
    viewer = resume(services.ring, last_event_id, start, wanted)
    first = sse.retry(random.randint(*RETRY_MS))
    if viewer.replaying is None or viewer.replaying.since_ms is None:  # or its first block is still to come
        first += viewer.greeting(services.state())
    sockets, wants_stats = services.sockets, read_parameter(request, "stats") == "1"
    if sockets and can_hijack(request.environ):
        return hijack(
            request.environ, lambda sock, chunked: sockets.attach(sock, chunked, viewer, first, wants_stats)
        )
    if connection := request.environ.get("gunicorn.socket"):
        connection.settimeout(services.settings.client_stall_s)
    return services.generators.stream(viewer, first, wants_stats)


def _respond(body: Iterable[bytes]) -> Response:
    return Response(body, mimetype="text/event-stream", headers=HEADERS, direct_passthrough=True)
