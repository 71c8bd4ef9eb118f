"""An order and its outbox row, stored together or not at all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Self
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from producer.draft import OrderDraft
from producer.events import Event, order_event
from producer.record import Record, current_session

TIMESTAMP = sa.DateTime(timezone=True)


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
