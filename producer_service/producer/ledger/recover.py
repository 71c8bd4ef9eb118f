"""What PostgreSQL has lost and Kafka still has goes back into the orders, after a restore to an earlier time."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from confluent_kafka import Message

from producer.domain.database import Database
from producer.domain.draft import OrderDraft
from producer.domain.history import NotReproducible, past_events
from producer.domain.models import Order
from producer.domain.status import Status
from producer.ledger.run import LedgerTopic, Progress
from producer.ledger.sighting import Foreign, read_sighting

ORDERS_AT_ONCE = 500
NAMED = 20

_VERSIONS = sa.text("SELECT id, version, event_id FROM orders WHERE id = ANY(CAST(:ids AS uuid[]))")


class Change(NamedTuple):
    """An event that Kafka has and PostgreSQL does not: the order as it was after it."""

    version: int
    event_id: UUID
    payload: bytes


@dataclass
class Recovered:
    """How many orders and events are stored again, and of the others how many and the first few, with the reason."""

    orders: int = 0
    events: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    named: list[tuple[UUID, str]] = field(default_factory=list)

    def refuse(self, order_id: UUID, reason: str) -> None:
        """Count an order that stays as it is."""
        self.refused[reason] += 1
        if len(self.named) < NAMED:
            self.named.append((order_id, reason))


class Recovery:
    """Stores orders and changes again that are in the topic and no longer in PostgreSQL. Safe to repeat.

    Each event holds the whole order as it was then. What is stored is what was committed: the ids of all events of the
    order are made again from it, and must be those in Kafka (ADR 11). No event is published.
    """

    def __init__(self, topic: LedgerTopic, database: Database, progress: Progress):
        self._topic, self._database, self._progress = topic, database, progress
        self.outcome = Recovered()

    def run(self) -> Recovered:
        """Read the topic to its present ends, then store what is lost. Raises KafkaException, SQLAlchemyError."""
        lost = sqlite3.connect("")  # a temporary file
        try:
            lost.execute(
                "CREATE TABLE changes (number INTEGER PRIMARY KEY, id BLOB, version, event BLOB, payload BLOB)"
            )
            self._read(lost)
            (total,) = lost.execute("SELECT count(DISTINCT id) FROM changes").fetchone()
            orders = _by_order(lost)
            with self._progress("Orders", total) as advance:
                while batch := dict(islice(orders, ORDERS_AT_ONCE)):
                    self._store(batch)
                    advance(len(batch))
        finally:
            lost.close()
        return self.outcome

    def _read(self, lost: sqlite3.Connection) -> None:
        """Keep what is not stored: as much as was lost, however large the topic is."""
        starts, ends = self._topic.starts(), self._topic.ends()
        with self._progress(
            "Topic", sum(end - starts.get(number, 0) for number, end in ends.items())
        ) as advance:
            for messages in self._topic.read(starts, ends):
                seen = list(_changes(messages))
                stored = self._versions({order_id for order_id, _ in seen})
                lost.executemany(
                    "INSERT INTO changes (id, version, event, payload) VALUES (?, ?, ?, ?)",
                    [
                        (order_id.bytes, change.version, change.event_id.bytes, change.payload)
                        for order_id, change in seen
                        if _is_lost(change, *stored.get(order_id, (0, None)))
                    ],
                )
                advance(len(messages))

    def _versions(self, order_ids: set[UUID]) -> dict[UUID, tuple[int, UUID | None]]:
        with self._database.engine.connect() as connection:
            rows = connection.execute(_VERSIONS, {"ids": [str(order_id) for order_id in order_ids]})
            return {row.id: (row.version, row.event_id) for row in rows}

    def _store(self, batch: dict[UUID, list[Change]]) -> None:
        recovered = Recovered()
        with self._database.transaction():
            orders = {order.id: order for order in Order.get_all_for_update(list(batch))}
            for order_id, changes in batch.items():
                stored = orders.get(order_id)
                try:
                    self._add(stored, order_id, changes, recovered)
                except NotReproducible as error:
                    self.outcome.refuse(order_id, str(error))
        self.outcome.orders += recovered.orders
        self.outcome.events += recovered.events

    def _add(self, stored: Order | None, order_id: UUID, changes: list[Change], recovered: Recovered) -> None:
        """Store the order as it was after the last event that follows from what is stored. Raises NotReproducible, also
        after that, when there are events beyond it."""
        present = stored.version if stored else 0
        otherwise = stored and any(
            _is_lost(c, present, stored.event_id) for c in changes if c.version == present
        )
        order, lost, reason = _follow(stored, order_id, changes)
        if order is not None:
            _save(order, stored)
            recovered.orders += 1
            recovered.events += len(lost)
        elif otherwise:
            raise NotReproducible("it was changed otherwise since")
        if any(change.version > present + len(lost) for change in changes):
            raise reason or NotReproducible(
                "an event between what is stored and what is in Kafka is not in Kafka"
            )


def _follow(
    stored: Order | None, order_id: UUID, changes: list[Change]
) -> tuple[Order | None, list[Change], NotReproducible | None]:
    """Return the order after the last change that follows, step by step, from what is stored; None where none does.

    With these changes, and with why those of the next version do not follow; None where there are none. What somebody
    else wrote to the topic follows from nothing, as each id is made from the one before. Where two follow, PostgreSQL
    has been put back before, and the order was changed otherwise then: which one counts is not known here.
    """
    order: Order | None = None
    lost, present = list[Change](), stored.version if stored else 0
    by_version: dict[int, dict[Change, None]] = {}  # each once, in the order of the topic
    for change in changes:
        by_version.setdefault(change.version, {})[change] = None
    while True:
        reason: NotReproducible | None = None
        following: list[tuple[Order, Change]] = []
        for change in by_version.get(present + len(lost) + 1, {}):
            try:
                following.append((_after(stored, order_id, [*lost, change]), change))
            except NotReproducible as error:
                reason = error
        if len(following) > 1:
            reason = NotReproducible(
                "two changes in Kafka follow what is stored; which one counts is not known"
            )
        if len(following) != 1:
            return order, lost, reason
        order, lost = following[0][0], [*lost, following[0][1]]


def _is_lost(change: Change, version: int, event_id: UUID | None) -> bool:
    """Return whether a change is not stored in an order of this version, whose last event has this id.

    event_id: None for orders of before the release that keeps it."""
    if change.version == version:
        return event_id is not None and change.event_id != event_id
    return change.version > version


def _save(order: Order, stored: Order | None) -> None:
    """Store the order; PostgreSQL computes its total."""
    names = {column.key for column in sa.inspect(Order).column_attrs} - {"total"}
    target = stored or Order()
    for name in names:
        setattr(target, name, getattr(order, name))
    target.save()


def _by_order(lost: sqlite3.Connection) -> Iterator[tuple[UUID, list[Change]]]:
    rows = lost.execute("SELECT id, version, event, payload FROM changes ORDER BY id, number")
    for order_id, group in groupby(rows, itemgetter(0)):
        yield UUID(bytes=order_id), [Change(row[1], UUID(bytes=row[2]), row[3]) for row in group]


def _changes(messages: Iterable[Message]) -> Iterator[tuple[UUID, Change]]:
    for message in messages:
        try:
            sighting = read_sighting(message) if message.error() is None else None
        except Foreign:
            continue
        if sighting is not None:
            change = Change(sighting.version, sighting.event_id, message.value() or b"")
            yield UUID(bytes=sighting.order_id), change


def _after(stored: Order | None, order_id: UUID, lost: list[Change]) -> Order:
    """Return the order as it was after the last of these events.

    Raises NotReproducible when they are not ours, or do not follow from what is stored."""
    try:
        events: list[dict[str, Any]] = [json.loads(change.payload) for change in lost]
        data, times = events[-1]["data"], [_moment(event["time"]) for event in events]
        draft = OrderDraft.model_validate({name: data[name] for name in OrderDraft.model_fields})
        order = Order(
            id=order_id,
            **dict(draft),
            total=draft.unit_price * draft.quantity,
            status=Status(data["status"]).value,
            version=lost[-1].version,
            created_at=_moment(data["placed_at"]),
            updated_at=times[-1],
            changed_at=[*stored.changed_at, *times] if stored else times[1:],
            event_id=lost[-1].event_id,
        )
        made = [event.payload.encode() for event in past_events(order)]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise NotReproducible("its events are not such as this version of the producer makes") from error
    if made[len(made) - len(lost) :] != [change.payload for change in lost]:
        raise NotReproducible("what is in Kafka does not follow what is stored")
    return order


def _moment(text: str) -> datetime:
    """Return a time of an event. Raises ValueError, OverflowError, TypeError: also when it has no time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)
