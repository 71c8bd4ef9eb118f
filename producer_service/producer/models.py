"""An order and its outbox row, stored together or not at all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Self
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from producer.draft import OrderDraft
from producer.events import Event, order_event
from producer.record import TIMESTAMP, Record, current_session

NO_GRACE = timedelta(0)

# From each status, where an order may go.
NEXT = {
    "placed": {"confirmed", "cancelled"},
    "confirmed": {"shipped", "cancelled"},
    "shipped": {"delivered"},
    "delivered": set(),
    "cancelled": set(),
}


class WrongTransition(Exception):
    """An order cannot go from this status to that one."""

    def __init__(self, current: str, wanted: str):
        super().__init__(f"an order that is {current} cannot become {wanted}")


class Order(Record):
    """What was ordered, by whom, and how far it has come. Each change raises `version` by one."""

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

    @classmethod
    def place(cls, drafts: list[OrderDraft], grace: timedelta) -> tuple[list[Self], list[Event]]:
        """Store new orders and their outbox rows.

        grace: how long the rows are left to a direct publish before they are the relay's.
        """
        orders = cls.create_all([cls._new(draft) for draft in drafts])
        events = [order_event(order) for order in orders]
        # Nothing of an order that is new can be in the outbox before its first version: all may go direct.
        OutboxEvent.add(events, direct=True, grace=grace)
        return orders, events

    @classmethod
    def locked(cls, key: UUID) -> Self | None:
        """The order, held until the transaction ends: whoever else wants to change it waits."""
        return current_session().get(cls, key, with_for_update=True)

    def confirm(self, grace: timedelta) -> Event:
        return self.move_to("confirmed", grace)

    def ship(self, grace: timedelta) -> Event:
        return self.move_to("shipped", grace)

    def deliver(self, grace: timedelta) -> Event:
        return self.move_to("delivered", grace)

    def cancel(self, grace: timedelta) -> Event:
        return self.move_to("cancelled", grace)

    def move_to(self, status: str, grace: timedelta) -> Event:
        """The next status, version and outbox row of an order that is `locked`. WrongTransition.

        May the event go direct? Only while no earlier version is in the outbox. That is asked after the
        lock was got, by a statement of its own: one that waits for the lock and asks in one go sees the
        outbox as it was before the wait, and two versions would be on their way at once.
        """
        if status not in NEXT[self.status]:
            raise WrongTransition(self.status, status)
        self.status, self.version, self.updated_at = status, self.version + 1, datetime.now(UTC)
        self.save()
        event = order_event(self)
        direct = not OutboxEvent.holds(self.id)
        OutboxEvent.add([event], direct=direct, grace=grace if direct else NO_GRACE)
        return replace(event, direct=direct)

    @classmethod
    def newest(cls, limit: int, after: UUID | None = None, status: str | None = None) -> list[Self]:
        """Newest first: a UUID v7 begins with the time it was made at."""
        conditions = []
        if after is not None:
            conditions.append(cls.id < after)
        if status is not None:
            conditions.append(cls.status == status)
        return cls.where(*conditions, order_by=cls.id.desc(), limit=limit)

    @classmethod
    def _new(cls, draft: OrderDraft) -> Self:
        now = datetime.now(UTC)
        return cls(
            id=uuid7(), **draft.model_dump(), status="placed", version=1, created_at=now, updated_at=now
        )


class OutboxEvent(Record):
    """An event that has not yet been read back from Kafka.

    direct: no earlier version of the order was in the outbox, so others than the relay may publish it.
    due_at: from when on it is the relay's to publish; while the relay does, the end of its lease.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index("outbox_aggregateid_version", "aggregateid", "version", unique=True),
        sa.Index("outbox_due_at", "due_at", postgresql_where=sa.text("parked_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    aggregatetype: Mapped[str] = mapped_column(sa.Text)
    aggregateid: Mapped[UUID]
    type: Mapped[str] = mapped_column(sa.Text)
    payload: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int]
    direct: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP, server_default=sa.func.now())
    due_at: Mapped[datetime] = mapped_column(TIMESTAMP)
    attempts: Mapped[int] = mapped_column(server_default="0")
    parked_at: Mapped[datetime | None] = mapped_column(TIMESTAMP)
    parked_reason: Mapped[str | None] = mapped_column(sa.Text)

    @classmethod
    def holds(cls, order_id: UUID) -> bool:
        """Is any event of this order still here?"""
        return bool(current_session().scalar(sa.select(sa.exists().where(cls.aggregateid == order_id))))

    @classmethod
    def add(cls, events: list[Event], *, direct: bool, grace: timedelta) -> None:
        """due_at by the database's clock, the one the relay's claim reads; the events in one INSERT."""
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
            }
            for event in events
        ]
        current_session().execute(insert, rows)


class DiscardedEvent(Record):
    """An event that an operator gave up, because Kafka refused it for its content."""

    __tablename__ = "outbox_discarded"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    aggregateid: Mapped[UUID]
    type: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int]
    payload: Mapped[str] = mapped_column(sa.Text)
    parked_reason: Mapped[str] = mapped_column(sa.Text)
    discarded_at: Mapped[datetime] = mapped_column(TIMESTAMP, server_default=sa.func.now())
