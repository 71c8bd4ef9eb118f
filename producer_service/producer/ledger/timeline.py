"""What happened to one order: when each version was committed, and where its event is."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from confluent_kafka import Message

from producer.domain.database import Database
from producer.domain.events import utc
from producer.domain.models import DiscardedEvent, Order, OutboxEvent
from producer.ledger.books import CommittedOrder
from producer.ledger.retention import MARGIN_MS, Retention
from producer.ledger.run import Progress
from producer.ledger.sighting import Foreign, half_of, read_sighting
from producer.ledger.topic import Offsets


class TimelineTopic(Protocol):
    """The part of Topic that a timeline uses."""

    def starts(self) -> Offsets: ...
    def starts_at(self, milliseconds: int) -> Offsets: ...
    def ends(self) -> Offsets: ...
    def read(self, starts: Offsets, ends: Offsets) -> Iterator[list[Message]]: ...


# Its text, and `half_of` the event's id.
Place = tuple[str, int]


@dataclass
class Timeline:
    """The lines to print. is_whole: nothing is missing and all that is in Kafka was committed."""

    title: str
    lines: list[str] = field(default_factory=list)
    is_whole: bool = True

    def add(self, version: int, what: str, is_well: bool = True) -> None:
        """Add what is known of one version's event."""
        self.lines.append(f"version {version}  {what}")
        self.is_whole = self.is_whole and is_well


@dataclass(frozen=True)
class _Books:
    """What PostgreSQL has of the order; rows: a description for each version in the outbox or discarded."""

    order: CommittedOrder | None
    status: str
    rows: dict[int, str]


def timeline(
    order_id: UUID,
    database: Database,
    topic: TimelineTopic,
    retention: Callable[[Offsets, Offsets], Retention],
    progress: Progress,
) -> Timeline:
    """Return the order's timeline. Raises SQLAlchemyError, KafkaException, TopicMoved.

    As for the whole ledger: first the order, then the outbox, then the topic to ends that were asked after that. What
    is in the topic and was not committed at first is asked again.
    """
    books = _read_books(database, order_id)
    places = _read_topic(order_id, books.order, topic, progress)
    order = books.order
    if max(places, default=0) > (order.version if order else 0):
        order = _read_books(database, order_id).order
    committed = order.version if order else 0
    starts = topic.starts()
    removed = retention(starts, topic.ends())
    found = Timeline(
        f"Order {order_id}: {books.status}" if books.order else f"Order {order_id}: no such order is stored"
    )
    judged = range(1, books.order.version + 1) if books.order else range(0)
    for version in sorted({*judged, *places, *books.rows}):
        when = _when(books.order, version)
        for place, event in places.get(version, []):
            is_own = all(each is None or each.is_own(version, event) for each in (books.order, order))
            never = "" if version <= committed and is_own else "  NEVER COMMITTED"
            found.add(version, f"{when}  {place}{never}", is_well=not never)
        if version in books.rows:
            found.add(version, f"{when}  {books.rows[version]}")
        own = [
            event
            for _, event in places.get(version, [])
            if books.order and books.order.is_own(version, event)
        ]
        if version not in books.rows and not own and version in judged and books.order is not None:
            is_removed = removed.may_have_removed(order_id.bytes, books.order.committed_ms(version))
            what = "not in Kafka: its retention may have removed it" if is_removed else "MISSING"
            found.add(version, f"{when}  {what}", is_well=is_removed)
    found.is_whole = found.is_whole and books.order is not None
    return found


def _read_books(database: Database, order_id: UUID) -> _Books:
    with database.transaction():
        order = Order.find(order_id)
        rows = {row.version: _row(row) for row in OutboxEvent.where(OutboxEvent.aggregateid == order_id)}
        for version, reason, moment in DiscardedEvent.of_order(order_id):
            rows[version] = f"discarded {utc(moment)}: {reason}"
        if order is None:
            return _Books(None, "", rows)
        committed = CommittedOrder(
            order_id.bytes,
            order.version,
            order.created_at,
            order.updated_at,
            order.changed_at,
            newest=half_of(order.event_id) if order.event_id else None,
        )
        return _Books(committed, f"{order.status}, version {order.version}", rows)


def _row(row: OutboxEvent) -> str:
    if row.parked_at is not None:
        return f"{row.type} {row.id}  parked {utc(row.parked_at)}: {row.parked_reason}"
    return f"{row.type} {row.id}  in the outbox, due {utc(row.due_at)}, attempts {row.attempts}"


def _when(order: CommittedOrder | None, version: int) -> str:
    """Return when a version was committed, by the order: exactly, at the earliest, or unknown."""
    if order is None or version > order.version:
        return " " * 27
    moment = order.committed_at(version)
    return "committed".ljust(27) if moment is None else utc(moment)


def _read_topic(
    order_id: UUID, order: CommittedOrder | None, topic: TimelineTopic, progress: Progress
) -> dict[int, list[Place]]:
    """Return where each version is. An event is published after its order was placed, so reading begins there."""
    since = None if order is None else order.committed_ms(1) - MARGIN_MS
    starts = topic.starts() if since is None else topic.starts_at(since)
    ends, key = topic.ends(), str(order_id).encode()
    places: dict[int, list[Place]] = defaultdict(list)
    with progress("Topic", sum(end - starts.get(number, 0) for number, end in ends.items())) as advance:
        for messages in topic.read(starts, ends):
            for message in messages:
                if message.key() == key and message.error() is None:
                    _add_place(places, message)
            advance(len(messages))
    return places


def _add_place(places: dict[int, list[Place]], message: Message) -> None:
    try:
        sighting = read_sighting(message)
    except Foreign:
        return
    if sighting is not None:
        moment = utc(datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC))
        again = "again " if places[sighting.version] else ""
        place = f"{again}in Kafka, partition {message.partition()} offset {message.offset()}, {moment}"
        text = f"{sighting.kind} {sighting.event_id}  {place}"
        places[sighting.version].append((text, half_of(sighting.event_id)))
