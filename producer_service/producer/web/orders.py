"""REST: orders are placed, changed, listed and found here."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, Response, request, url_for
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException, NotFound, PreconditionFailed

from producer.demo.random_orders import random_draft
from producer.domain.draft import OrderBatch, OrderDraft, RandomOrders, StatusChange
from producer.domain.group_commit import KeyInUse
from producer.domain.models import NewOrder, Order
from producer.services import current_services
from producer.web import responses
from producer.web.backlog import refusal_when_full
from producer.web.idempotency import IdempotentRequest, RequestInProgress
from producer.web.pagination import read_cursor, read_limit, read_parameters, read_status, write_cursor
from producer.web.responses import json_response
from producer.web.strict_json import read_body
from producer.web.transaction import transaction

orders = Blueprint("orders", __name__)


@orders.post("/orders")
def place_order() -> Response:
    """Answer 201 as soon as the order and its event are committed, without waiting for Kafka."""
    draft = read_body(request, OrderDraft)

    def respond(placed: list[NewOrder]) -> Response:
        response = json_response(responses.Order.model_validate(placed[0]), 201)
        response.headers["Location"] = url_for("orders.show_order", order_id=placed[0].id)
        return response

    return _place(draft, lambda: [draft], respond)


@orders.post("/orders/batch")
def place_batch() -> Response:
    """Place all orders of the batch or none."""
    batch = read_body(request, OrderBatch)

    def respond(placed: list[NewOrder]) -> Response:
        bodies = [responses.Order.model_validate(order) for order in placed]
        return json_response(responses.PlacedBatch(count=len(bodies), orders=bodies), 201)

    return _place(batch, lambda: batch.orders, respond)


@orders.post("/orders/random")
def place_random_orders() -> Response:
    """Make up orders and place them, all or none."""
    wanted = read_body(request, RandomOrders)
    return _place(
        wanted,
        lambda: [random_draft() for _ in range(wanted.count)],
        lambda placed: json_response(responses.PlacedRandom(count=len(placed)), 201),
    )


def _place(
    body: BaseModel, drafts: Callable[[], list[OrderDraft]], respond: Callable[[list[NewOrder]], Response]
) -> Response:
    """Store new orders together with those of other requests, and answer once they are committed.

    A request that was answered before gets that response, also while the outbox is full.
    """
    services = current_services()
    idempotent = IdempotentRequest(request.method, request.path, request.headers.get("Idempotency-Key"), body)
    if (refusal := refusal_when_full(services)) is not None:
        return _earlier_response(idempotent, refusal)
    with services.publisher.request_permit() as permit:
        placement = Order.place(drafts(), permit.grace)
        response = respond(placement.orders)
        try:
            services.group_commit.store(
                placement,
                idempotent.to_store(
                    response.status_code, response.headers.get("Location"), response.get_data()
                ),
                lambda: permit.publish(placement.events),
            )
        except KeyInUse as error:
            return _earlier_response(idempotent, RequestInProgress() if error.is_running else None)
    return response


def _earlier_response(idempotent: IdempotentRequest, otherwise: HTTPException | None) -> Response:
    """Answer as before. Raises `otherwise` when there is no such response: by default, that it is to be repeated."""
    if otherwise is not None and not idempotent.has_key:
        raise otherwise
    with transaction():
        earlier = idempotent.earlier_response()
    if earlier is None:
        raise otherwise or RequestInProgress
    return earlier


@orders.patch("/orders/<uuid:order_id>")
def change_order(order_id: UUID) -> Response:
    """Move the order to the requested status.

    409 when the order cannot take that transition, 412 when it is not at the version that If-Match names.
    """
    status = read_body(request, StatusChange).status
    with current_services().publisher.request_permit() as permit:
        with transaction():
            order = Order.get_for_update(order_id)
            if order is None:
                raise _not_found(order_id)
            if request.if_match and not request.if_match.contains(str(order.version)):
                raise PreconditionFailed(f"The order is at version {order.version} now.")
            event = order.move_to(status, permit.grace)
        permit.publish([event])
    return _with_etag(order)


@orders.get("/orders")
def list_orders() -> Response:
    """Answer one page of orders, newest first."""
    parameters = read_parameters(request)
    limit = read_limit(parameters.get("limit"))
    status = read_status(parameters.get("status"))
    after = read_cursor(parameters.get("after"))
    with transaction():
        found = Order.newest(limit + 1, after, status)
    page, more = found[:limit], len(found) > limit
    bodies = [responses.Order.model_validate(order) for order in page]
    return json_response(responses.OrderPage(orders=bodies, next=write_cursor(page[-1].id) if more else None))


@orders.get("/orders/<uuid:order_id>")
def show_order(order_id: UUID) -> Response:
    """Answer the order as it is now, with its version as ETag."""
    with transaction():
        order = Order.find(order_id)
    if order is None:
        raise _not_found(order_id)
    return _with_etag(order)


def _not_found(order_id: UUID) -> NotFound:
    return NotFound(f"There is no order {order_id}.")


def _with_etag(order: Order) -> Response:
    response = json_response(responses.Order.model_validate(order))
    response.set_etag(str(order.version))
    return response
