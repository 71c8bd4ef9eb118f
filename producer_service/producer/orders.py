"""REST: orders are placed, changed, listed and found here."""

import base64
import binascii
from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, jsonify, request, url_for
from pydantic import BaseModel

from producer.backlog import refuse_when_full
from producer.draft import OrderBatch, OrderDraft, RandomOrders, StatusChange
from producer.errors import Problem, invalid
from producer.events import utc
from producer.idempotency import Once
from producer.models import Order
from producer.random_orders import random_draft
from producer.record import transaction
from producer.strict_json import read_body

orders = Blueprint("orders", __name__)

STATUSES = ("placed", "confirmed", "shipped", "delivered", "cancelled")
MAX_PAGE = 200


@orders.post("/orders")
def place_order() -> Response:
    """201 as soon as order and event are committed; Kafka is never waited for."""
    draft = read_body(request, OrderDraft)

    def answer(placed: list[Order]) -> Response:
        response = jsonify(as_json(placed[0]))
        response.headers["Location"] = url_for("orders.show_order", order_id=placed[0].id)
        return response

    return _place(draft, lambda: [draft], answer)


@orders.post("/orders/batch")
def place_batch() -> Response:
    """All or none."""
    batch = read_body(request, OrderBatch)
    return _place(
        batch,
        lambda: batch.orders,
        lambda placed: jsonify(count=len(placed), orders=[as_json(order) for order in placed]),
    )


@orders.post("/orders/random")
def place_random_orders() -> Response:
    wanted = read_body(request, RandomOrders)
    return _place(
        wanted,
        lambda: [random_draft() for _ in range(wanted.count)],
        lambda placed: jsonify(count=len(placed)),
    )


def _place(
    body: BaseModel, drafts: Callable[[], list[OrderDraft]], answer: Callable[[list[Order]], Response]
) -> Response:
    extensions, once = current_app.extensions, Once(request, body)
    refuse_when_full(extensions["backlog"], extensions["outbox_bound"])
    handover = extensions["publisher"].prepare()
    with transaction():
        if (earlier := once.answered()) is not None:
            return earlier
        placed, events = Order.place(drafts(), handover.grace)
        response = answer(placed)
        response.status_code = 201
        once.keep(response)
    handover.publish(events)
    return response


@orders.patch("/orders/<uuid:order_id>")
def change_order(order_id: UUID) -> Response:
    """409 for a step that the order cannot take, 412 when it is not the version that If-Match names."""
    status = read_body(request, StatusChange).status
    handover = current_app.extensions["publisher"].prepare()
    with transaction():
        order = Order.locked(order_id)
        if order is None:
            raise _not_found(order_id)
        if request.if_match and not request.if_match.contains(str(order.version)):
            raise Problem(412, f"the order is at version {order.version} by now")
        event = order.move_to(status, handover.grace)
    handover.publish([event])
    return _with_etag(order)


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
        raise _not_found(order_id)
    return _with_etag(order)


def _not_found(order_id: UUID) -> Problem:
    return Problem(404, f"there is no order {order_id}")


def _with_etag(order: Order) -> Response:
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
