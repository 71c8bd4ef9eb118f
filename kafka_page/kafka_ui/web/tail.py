"""The live tail as server-sent events: 200 in every case, as anything else ends a browser's EventSource for good."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Blueprint, Response, render_template, request, stream_with_context

from kafka_ui.messages.position import Position, UnreadablePosition, parse, write
from kafka_ui.messages.reading import positions
from kafka_ui.messages.tail import Batch
from kafka_ui.services import current_services
from kafka_ui.web.connection import gone_check, limit_writes
from kafka_ui.web.messages import readable_ranges, view_of

tail = Blueprint("tail", __name__)

RETRY_MS = 2000


@tail.get("/topics/<name>/tail")
def follow(name: str) -> Response:
    """Answer what comes in from now on, or from the position of the last block that the browser got."""
    services = current_services()
    picture = services.survey.picture()
    topic = picture.topic(name)
    if topic is None:
        return _respond([_block("busy", {"reason": "No broker knows this topic now."})])
    ranges, notes = readable_ranges(services, picture, topic)
    start = positions(ranges.items()) | {
        partition: max(ranges[partition].first, min(offset, ranges[partition].end))
        for partition, offset in _last_position().items()
        if partition in ranges
    }
    if not start or request.method == "HEAD":
        return _respond([_block("busy", {"reason": "No partition of the topic can be read now."})])
    limit_writes(request)
    batches = services.tails.follow(services.open_reader(picture), name, start, gone_check(request))
    if batches is None:
        return _respond(
            [_block("busy", {"reason": "As many pages follow a topic as may at once: close one."})]
        )

    def blocks() -> Iterator[bytes]:
        yield _block("status", {"notes": notes}, start)
        for batch in batches:
            yield _messages(name, batch)

    response = _respond(stream_with_context(blocks()))
    response.call_on_close(batches.close)
    return response


def _last_position() -> Position:
    try:
        return parse(request.headers.get("Last-Event-ID", ""))
    except UnreadablePosition:
        return {}


def _messages(topic: str, batch: Batch) -> bytes:
    """Return a batch as HTML, newest first, made by the same template as the page's."""
    if not batch.messages:
        return _block("status", {"notes": []}, batch.next)
    views = [view_of(message) for message in reversed(batch.messages)]
    html = render_template("message_list.html", name=topic, views=views)
    return _block("messages", {"html": html, "skipped": batch.skipped}, batch.next)


def _block(name: str, data: dict[str, Any], position: Position | None = None) -> bytes:
    at = f"id: {write(position)}\n" if position else ""
    return f"{at}event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def _respond(body: Iterable[bytes]) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(_with_retry(body), mimetype="text/event-stream", headers=headers, direct_passthrough=True)


def _with_retry(body: Iterable[bytes]) -> Iterator[bytes]:
    yield f"retry: {RETRY_MS}\n\n".encode()
    yield from body
