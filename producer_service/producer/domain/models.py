"""An order and its outbox row, stored together or not at all."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Self
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from producer.domain.draft import OrderDraft
from producer.domain.events import Event, order_event
from producer.domain.layout import DIRECT_PARTITIONS
from producer.domain.partitioner import key_hash, partition_of
from producer.domain.record import TIMESTAMP, Record, current_session
from producer.domain.status import TRANSITIONS, InvalidTransition, Status

NO_GRACE = timedelta(0)
DIRECT = sa.text(
    f"SELECT {DIRECT_PARTITIONS} WHERE NOT EXISTS (SELECT FROM outbox WHERE aggregateid = :order_id)"
)
_PLACED = Status.PLACED.value


class Order(Record):
    """What was ordered, by whom, and how far it has come. Each change raises `version` by one.

    event_id, changed_at: the id of its last event, and the times of its changes. With both, all of its events can be
    made again (`producer.domain.history`). None: placed before these were kept.
    """

    __tablename__ = "orders"
    __table_args__ = (sa.Index("orders_status_id", "status", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_name: Mapped[str] = mapped_column(sa.Text)
    item: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str] = mapped_column(sa.Text)
    unit_price: Mapped[Decimal] = mapped_column(sa.Numeric(12, 2))
    quantity: Mapped[int]
    total: Mapped[Decimal] = mapped_column(
        sa.Numeric(18, 2), sa.Computed("unit_price * quantity", persisted=True)
    )
    status: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP)
    updated_at: Mapped[datetime] = mapped_column(TIMESTAMP)
    event_id: Mapped[UUID | None]
    changed_at: Mapped[list[datetime]] = mapped_column(ARRAY(TIMESTAMP), server_default=sa.text("'{}'"))

    @classmethod
    def place(cls, drafts: list[OrderDraft], grace: timedelta) -> "Placement":
        """Make new orders and their events, for `GroupCommit.store`: the only way an order comes to be.

        grace: how long the rows are left to the direct publish before the relay may take them. A new order has no
        earlier version in the outbox, so every event may be published directly.
        """
        now = datetime.now(UTC)
        orders, events = list[NewOrder](), list[Event]()
        for draft in drafts:
            order = _new_order(draft, now)
            event = order_event(order)
            orders.append(order._replace(event_id=event.id))
            events.append(event)
        return Placement(orders, events, grace)

    @classmethod
    def get_for_update(cls, key: UUID) -> Self | None:
        """Return the order with its row locked until the transaction ends, or None."""
        return current_session().get(cls, key, with_for_update=True)

    @classmethod
    def get_all_for_update(cls, keys: list[UUID]) -> list[Self]:
        """Return those of the orders that exist, with their rows locked until the transaction ends."""
        query = sa.select(cls).where(cls.id.in_(keys)).order_by(cls.id).with_for_update()
        return list(current_session().scalars(query))

    def move_to(self, status: Status, grace: timedelta) -> Event:
        """Give the order its next status and version, store the outbox row, and return the event.

        The order must come from `get_for_update`. Raises InvalidTransition.

        The event may be published directly only while no earlier version is in the outbox. That question is
        a statement of its own, after the one that took the lock: a statement that waits for the lock and asks
        in one go sees the outbox as it was before the wait, and two versions would be on their way at once.
        """
        current = Status(self.status)
        if status not in TRANSITIONS[current]:
            raise InvalidTransition(current, status)
        self.status, self.version, self.updated_at = status.value, self.version + 1, datetime.now(UTC)
        self.changed_at = [*self.changed_at, self.updated_at]
        event = self._next_event()
        self.save()
        partitions = OutboxEvent.direct_partitions(self.id)
        partition = partition_of(str(self.id), partitions) if partitions else None
        event = replace(event, direct=partitions is not None, partition=partition)
        OutboxEvent.add([event], direct=event.direct, grace=grace if event.direct else NO_GRACE)
        return event

    @classmethod
    def newest(cls, limit: int, after: UUID | None = None, status: Status | None = None) -> list[Self]:
        """Return up to `limit` orders, newest first. A UUID v7 begins with the time it was made at."""
        conditions = []
        if after is not None:
            conditions.append(cls.id < after)
        if status is not None:
            conditions.append(cls.status == status.value)
        return cls.where(*conditions, order_by=cls.id.desc(), limit=limit)

    def _next_event(self) -> Event:
        event = order_event(self)
        self.event_id = event.id
        return event


class NewOrder(NamedTuple):
    """An order that is not stored yet, with the fields of an Order.

    No Order, because a group is stored by one statement of its own (group_commit.py): what SQLAlchemy keeps to know
    what has changed in a record would be most of the work of making one.
    """

    id: UUID
    customer_name: str
    item: str
    description: str
    unit_price: Decimal
    quantity: int
    total: Decimal
    status: str
    version: int
    created_at: datetime
    updated_at: datetime
    event_id: UUID | None = None


def _new_order(draft: OrderDraft, now: datetime) -> NewOrder:
    return NewOrder(
        id=uuid7(),
        **draft.__dict__,
        total=draft.unit_price * draft.quantity,
        status=_PLACED,
        version=1,
        created_at=now,
        updated_at=now,
    )


@dataclass(frozen=True)
class Placement:
    """Orders that are to be stored together, with the event of each.

    key_hashes: of each event's key, if the statement that stores them was given these.
    """

    orders: list[NewOrder]
    events: list[Event]
    grace: timedelta
    key_hashes: list[int] = field(default_factory=list)

    def hash_keys(self) -> None:
        """Compute what the partitions follow from: the statement reads the layout, and nobody knows it before."""
        self.key_hashes[:] = [key_hash(str(order.id)) for order in self.orders]

    def judge(self, direct_partitions: int | None) -> None:
        """Note what the layout said when they were stored: by how many partitions, or None: not directly.

        Without the hashes of their keys they are not direct either, unless Kafka's client computes the partitions.
        """
        if direct_partitions and self.key_hashes:
            self.events[:] = [
                replace(each, partition=number % direct_partitions)
                for each, number in zip(self.events, self.key_hashes, strict=True)
            ]
        elif direct_partitions != 0:
            self.events[:] = [replace(each, direct=False) for each in self.events]


class OutboxEvent(Record):
    """An event that has not been read back from Kafka yet.

    created_at: since when it could reach Kafka: a requeue, and the discard of an earlier version, renew it.
    direct: no earlier version of the order was in the outbox, and the topic was not being grown: so not only the relay
        may publish it.
    partition: where the layout of that moment had it, for Debezium; None: where Kafka's client has it. The relay goes
        by the layout of the moment at which it publishes.
    due_at: when the relay may publish it; while the relay does, the end of its lease.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index("outbox_aggregateid_version", "aggregateid", "version", unique=True),
        sa.Index("outbox_due_at", "due_at", postgresql_where=sa.text("parked_at IS NULL")),
        sa.Index("outbox_created_at", "created_at", postgresql_where=sa.text("parked_at IS NULL")),
        sa.Index(
            "outbox_parked", "aggregateid", "version", postgresql_where=sa.text("parked_at IS NOT NULL")
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    aggregatetype: Mapped[str] = mapped_column(sa.Text)
    aggregateid: Mapped[UUID]
    type: Mapped[str] = mapped_column(sa.Text)
    payload: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int]
    direct: Mapped[bool]
    partition: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP, server_default=sa.func.now())
    due_at: Mapped[datetime] = mapped_column(TIMESTAMP)
    attempts: Mapped[int] = mapped_column(server_default="0")
    parked_at: Mapped[datetime | None] = mapped_column(TIMESTAMP)
    parked_reason: Mapped[str | None] = mapped_column(sa.Text)

    @classmethod
    def direct_partitions(cls, order_id: UUID) -> int | None:
        """Return by how many partitions the order's next event may go directly (0: as many as Kafka's client knows).

        None: it may not, since another event of the order is still in the outbox, or only the relay publishes.
        """
        partitions: int | None = current_session().scalar(DIRECT, {"order_id": order_id})
        return partitions

    @classmethod
    def versions_of(cls, order_ids: list[UUID]) -> dict[UUID, set[int]]:
        """Return the versions that are still in the outbox, by the order."""
        query = sa.select(cls.aggregateid, cls.version).where(cls.aggregateid.in_(order_ids))
        found: dict[UUID, set[int]] = {}
        for order_id, version in current_session().execute(query):
            found.setdefault(order_id, set()).add(version)
        return found

    @classmethod
    def add(cls, events: list[Event], *, direct: bool, grace: timedelta) -> None:
        """Store the events with one INSERT. due_at is by the database's clock, as the relay's claim reads it."""
        insert = sa.insert(cls).values(due_at=sa.func.clock_timestamp() + grace)
        rows = [
            {
                "id": event.id,
                "aggregatetype": "order",
                "aggregateid": event.order_id,
                "type": event.type,
                "payload": event.payload,
                "version": event.version,
                "direct": direct,
                "partition": event.partition,
            }
            for event in events
        ]
        current_session().execute(insert, rows)


class DiscardedEvent(Record):
    """An event that Kafka refused for its content and an operator gave up."""

    __tablename__ = "outbox_discarded"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    aggregateid: Mapped[UUID]
    type: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int]
    payload: Mapped[str] = mapped_column(sa.Text)
    parked_reason: Mapped[str] = mapped_column(sa.Text)
    discarded_at: Mapped[datetime] = mapped_column(TIMESTAMP, server_default=sa.func.now())

    @classmethod
    def of_order(cls, order_id: UUID) -> list[tuple[int, str, datetime]]:
        """Return version, reason and time of what was discarded of an order: the producer may not read payloads."""
        query = sa.select(cls.version, cls.parked_reason, cls.discarded_at).where(cls.aggregateid == order_id)
        return [(version, reason, moment) for version, reason, moment in current_session().execute(query)]
