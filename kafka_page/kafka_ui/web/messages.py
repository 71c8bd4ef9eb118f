"""The page of messages: the newest, those from an offset or a time on, or all of one key."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ServiceUnavailable

from kafka_ui.cluster.diagnosis import UNKNOWN
from kafka_ui.cluster.picture import Picture, broker_name, only
from kafka_ui.messages.lookup import earliest_ms, place_of
from kafka_ui.messages.message import KEPT_ALONE_BYTES, KEPT_BYTES, Message
from kafka_ui.messages.position import Position, write
from kafka_ui.messages.reading import Found, Gone, Limits, Range, newest, of_key, onward
from kafka_ui.messages.text import Shown, show
from kafka_ui.services import Services, current_services
from kafka_ui.web.connection import gone_check
from kafka_ui.web.parameters import read_parameter
from kafka_ui.web.query import InvalidQuery, Query, read_query
from kafka_ui.wire.questions import Topic

messages = Blueprint("messages", __name__)

PAGE_S = 1.8
"""How long a page may take for everything that it asks Kafka."""
LEAST_READ_S = 0.3
CLIENT_GONE = 499

Next = dict[str, Any]


@dataclass(frozen=True)
class MessageView:
    """A message as the templates show it."""

    message: Message
    key: Shown
    value: Shown
    headers: list[tuple[str, Shown]]
    is_marked: bool


@dataclass(frozen=True)
class Page:
    """What was found. title, notes: in words what is shown, and what is not; next: the query of the next page."""

    title: str
    views: list[MessageView]
    notes: list[str]
    next: Next | None
    next_label: str = ""


@messages.get("/topics/<name>/messages")
def browse(name: str) -> ResponseReturnValue:
    """Show messages of a topic. The read ends when the browser has gone."""
    services, deadline = current_services(), time.monotonic() + PAGE_S
    picture = services.survey.picture()
    topic = picture.topic(name)
    if topic is None and picture.is_known:
        abort(404, "There is no such topic.")
    try:
        query, problem = read_query(request), ""
        page = _read(services, picture, topic, query, deadline) if topic else None
    except InvalidQuery as error:
        query, page, problem = None, None, str(error)
    except Gone:
        return "", CLIENT_GONE
    typed = {each: read_parameter(request, each) or "" for each in ("partition", "offset", "time", "key")}
    shown = render_template(
        "messages.html", name=name, topic=topic, query=query, page=page, typed=typed,
        problem=problem or ("" if topic else UNKNOWN),
    )  # fmt: skip
    return shown, 400 if query is None else 200


@messages.get("/ui/clusters/<cluster>/all-topics/<name>/messages")
def as_in_kafbats_kafka_ui(cluster: str, name: str) -> ResponseReturnValue:
    """Lead to the same messages here: the other pages have one kind of link, for this Kafka UI and for kafbat's."""
    found: dict[str, Any] = {each: read_parameter(request, each) or None for each in ("key", "event")}
    return redirect(url_for(".browse", name=name, **found))


def view_of(message: Message, event: str = "") -> MessageView:
    """Return a message as the templates show it. event: the id of the event to point out."""
    return MessageView(
        message,
        show(message.key),
        show(message.value),
        [(name, show(value)) for name, value in message.headers],
        bool(event) and message.header("id") == event.encode(),
    )


def readable_ranges(services: Services, picture: Picture, topic: Topic) -> tuple[dict[int, Range], list[str]]:
    """Return the offsets of the partitions whose leader answers, and in words which others there are."""
    found = services.offsets.ranges(picture, [topic])
    ranges = {partition: Range(*pair) for (_, partition), pair in found.items()}
    notes = []
    for each in topic.partitions:
        if each.number not in ranges:
            why = (
                "has no leader"
                if each.leader < 0
                else f"is led by {broker_name(each.leader)}, which did not answer in time"
            )
            notes.append(f"Partition {each.number} {why}: what it holds is not known now.")
    return ranges, notes


@contextmanager
def _place(services: Services) -> Iterator[None]:
    """Hold one of the places for reads. Raises ServiceUnavailable when all are taken."""
    if not services.reads.acquire(timeout=0.5):
        raise ServiceUnavailable("Other pages are reading messages just now.", retry_after=1)
    try:
        yield
    finally:
        services.reads.release()


def _read(services: Services, picture: Picture, topic: Topic, query: Query, deadline: float) -> Page:
    ranges, notes = readable_ranges(services, picture, topic)
    if query.partition is not None and not query.key:
        if all(each.number != query.partition for each in topic.partitions):
            raise InvalidQuery(f"The topic has no partition {query.partition}.")
        ranges = {query.partition: ranges[query.partition]} if query.partition in ranges else {}
    with _place(services):
        if query.key:
            return _of_key(services, picture, topic, query, ranges, deadline, notes)
        if query.offset is not None or query.time_ms is not None or query.after:
            return _onward(services, picture, topic, query, ranges, deadline, notes)
        opener, limits = services.open_reader(picture), _limits(deadline)
        found = newest(opener, topic.name, ranges, query.before, query.limit, limits)
    title = "Older messages, newest first" if query.before else "The newest messages first"
    more = {"before": write(found.next), "partition": query.partition} if found.next else None
    return Page(title, _views(found, query), notes + _unread(found), more, "Older messages")


def _onward(
    services: Services, picture: Picture, topic: Topic, query: Query, ranges: dict[int, Range], deadline: float,
    notes: list[str],
) -> Page:  # fmt: skip
    """Read from an offset, a time or a position on. A partition with nothing at or after a time is at its end."""
    start: Position
    if query.after:
        start, title = query.after, "Oldest first"
    elif query.offset is not None and query.partition is not None:
        start, title = (
            {query.partition: query.offset},
            f"Partition {query.partition} from offset {query.offset} on",
        )
        first, end = ranges.get(query.partition, Range(query.offset, query.offset + 1))
        if not first <= query.offset < end:
            has = f"offsets {first:,} to {end - 1:,}" if first < end else "no messages"
            notes = [*notes, f"Partition {query.partition} has {has} now."]
    else:
        found_at = services.offsets.at(picture, [only(topic, ranges)], query.time_ms or 0)
        start = {each: found_at.get((topic.name, each), ranges[each].end) for each in ranges}
        title = "From that time on, oldest first"
    is_alone = query.limit == 1
    kept = KEPT_ALONE_BYTES if is_alone else KEPT_BYTES
    opener, limits = services.open_reader(picture), _limits(deadline)
    found = onward(opener, topic.name, ranges, start, query.limit, limits, kept)
    more = {"after": write(found.next), "partition": query.partition} if found.next else None
    return Page(title, _views(found, query), notes + _unread(found), more, "Later messages")


def _of_key(
    services: Services, picture: Picture, topic: Topic, query: Query, ranges: dict[int, Range], deadline: float,
    notes: list[str],
) -> Page:  # fmt: skip
    partition, window = place_of(query.key, ranges, len(topic.partitions))
    title = f"All messages with the key {query.key}, in order"
    notes = [note for note in notes if note.startswith(f"Partition {partition} ")]
    if window is None:
        return Page(title, [], notes, None)
    begin = query.after.get(partition)
    if begin is None and (since := earliest_ms(query.key)) is not None:
        found_at = services.offsets.at(picture, [only(topic, [partition])], since)
        begin = found_at.get((topic.name, partition))
    window = Range(min(window.end, max(window.first, begin or 0)), window.end)
    key = query.key.encode()
    found = of_key(services.open_reader(picture), topic.name, partition, key, window, _limits(deadline))
    notes.append(f"Looked in partition {partition}, where Kafka's usual partitioner puts this key.")
    more = None
    if found.next:
        at = found.next[partition]
        notes.append(
            f"{found.scanned:,} messages were looked through, up to offset {at:,} of {window.end:,}."
        )
        more = {"key": query.key, "event": query.event or None, "after": write(found.next)}
    return Page(title, _views(found, query), notes, more, "Go on from there")


def _limits(deadline: float) -> Limits:
    return Limits(max(LEAST_READ_S, deadline - time.monotonic()), gone_check(request))


def _views(found: Found, query: Query) -> list[MessageView]:
    return [view_of(message, query.event) for message in found.messages]


def _unread(found: Found) -> list[str]:
    if not found.unread:
        return []
    which = ", ".join(map(str, found.unread))
    return [f"Not read in time, and so left out here: partition {which}."]
