"""REST: orders are placed, listed and found here."""

import base64
import binascii
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, jsonify, request, url_for

from producer.draft import OrderDraft, RandomOrders
from producer.errors import Problem, invalid
from producer.events import utc
from producer.models import Order
from producer.publisher import Publisher
from producer.random_orders import random_draft
from producer.record import transaction
from producer.strict_json import read_body

orders = Blueprint("orders", __name__)

STATUSES = ("placed", "confirmed", "shipped", "delivered", "cancelled")
MAX_PAGE = 200


@orders.post("/orders")
def place_order() -> Response:
    """201 as soon as order and event are committed; Kafka is never waited for."""
    (order,) = _place([read_body(request, OrderDraft)])
    answer = jsonify(as_json(order))
    answer.status_code = 201
    answer.headers["Location"] = url_for("orders.show_order", order_id=order.id)
    return answer


@orders.post("/orders/random")
def place_random_orders() -> tuple[Response, int]:
    wanted = read_body(request, RandomOrders)
    placed = _place([random_draft() for _ in range(wanted.count)])
    return jsonify(count=len(placed)), 201


@orders.get("/orders")
def list_orders() -> Response:
    limit = _limit(request.args.get("limit", "50"))
    status = request.args.get("status")
    if status is not None and status not in STATUSES:
        raise invalid("/status", f"must be one of {', '.join(STATUSES)}")
    after = request.args.get("after")
    with transaction():
        page = Order.newest(limit + 1, _position(after) if after is not None else None, status)
    more = len(page) > limit
    return jsonify(
        orders=[as_json(order) for order in page[:limit]], next=_cursor(page[limit - 1].id) if more else None
    )


@orders.get("/orders/<uuid:order_id>")
def show_order(order_id: UUID) -> Response:
    with transaction():
        order = Order.find(order_id)
    if order is None:
        raise Problem(404, f"there is no order {order_id}")
    answer = jsonify(as_json(order))
    answer.set_etag(str(order.version))
    return answer


def as_json(order: Order) -> dict[str, Any]:
    """Money as strings, times in UTC."""
    return {
        "id": str(order.id),
        "customer_name": order.customer_name,
        "item": order.item,
        "description": order.description,
        "unit_price": f"{order.unit_price:.2f}",
        "quantity": order.quantity,
        "total": f"{order.total:.2f}",
        "status": order.status,
        "version": order.version,
        "created_at": utc(order.created_at),
        "updated_at": utc(order.updated_at),
    }


def _place(drafts: list[OrderDraft]) -> list[Order]:
    publisher: Publisher = current_app.extensions["publisher"]
    handover = publisher.prepare()
    with transaction():
        placed, events = Order.place(drafts, handover.grace)
    handover.publish(events)
    return placed


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_PAGE):
        raise invalid("/limit", f"must be a number from 1 to {MAX_PAGE}")
    return int(text)


def _cursor(order_id: UUID) -> str:
    return base64.urlsafe_b64encode(order_id.bytes).decode().rstrip("=")


def _position(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise invalid("/after", "must be a cursor that an earlier answer gave as next", 400) from error
