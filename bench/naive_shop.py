"""The demo's way to take an order, for bench.intake: what people write.

The model commits, and the request produces to Kafka and flushes before it answers. A failed publish after the commit
is an event that never was; a crash in between too.
"""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import sqlalchemy as sa
from confluent_kafka import Producer
from flask import Flask, Response, jsonify, request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """Holds the metadata."""


class Order(Base):
    """An order that saves itself."""

    __tablename__ = "naive_orders"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_name: Mapped[str]
    item: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    unit_price: Mapped[Decimal] = mapped_column(sa.Numeric(12, 2))
    quantity: Mapped[int]
    status: Mapped[str] = mapped_column(default="placed")
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=lambda: datetime.now(UTC)
    )

    def save(self, session: Session) -> None:
        """Store the order and commit."""
        session.add(self)
        session.commit()

    def to_dict(self) -> dict[str, object]:
        """Return what is answered and published."""
        return {
            "id": str(self.id),
            "customer_name": self.customer_name,
            "item": self.item,
            "description": self.description,
            "unit_price": str(self.unit_price),
            "quantity": self.quantity,
            "status": self.status,
            "created_at": self.created_at.isoformat(),
        }


def create_app() -> Flask:
    """Return the application."""
    app = Flask(__name__)
    engine = sa.create_engine(
        sa.make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg2"), pool_size=16
    )
    Base.metadata.create_all(engine)
    topic = os.environ["KAFKA_TOPIC"]
    producer = Producer(
        {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], "acks": "all", "linger.ms": 0}
    )

    def publish(order: Order) -> None:
        producer.produce(topic, json.dumps(order.to_dict()).encode(), str(order.id).encode())
        producer.flush(10)

    @app.post("/orders")
    def place_order() -> tuple[Response, int]:
        data = request.get_json()
        order = Order(**data)
        with Session(engine, expire_on_commit=False) as session:
            order.save(session)
        publish(order)
        return jsonify(order.to_dict()), 201

    @app.patch("/orders/<uuid:order_id>")
    def change_status(order_id: UUID) -> Response:
        with Session(engine, expire_on_commit=False) as session:
            order = session.get_one(Order, order_id)
            order.status = request.get_json()["status"]
            order.save(session)
        publish(order)
        return jsonify(order.to_dict())

    return app
