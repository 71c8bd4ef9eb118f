"""POST /orders in the common case, without the framework around it.

Flask's dispatch, its request and response objects and its URL building cost more than everything that an order needs.
So this WSGI application stands before Flask's: a plain order from a program is checked by the same functions, placed by
the same model and stored by the same group commit, and answered with the same bytes. Whatever is not that, anything
unusual in the request, and every error, is Flask's: it gets the request as if nothing had happened, or the error to
answer. So there is one place for each error, and the view (orders.py: place_order) says what happens.

It must not block: under loop_worker.py it runs on the event loop. The plain fallback is not to put it there.
"""

import io
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from producer.domain.draft import OrderDraft
from producer.domain.group_commit import KeyInUse
from producer.domain.models import Order
from producer.services import EXTENSION, Services
from producer.web import responses
from producer.web.backlog import refusal_when_full
from producer.web.idempotency import IdempotentRequest
from producer.web.security import TrustedHosts, add_headers
from producer.web.strict_json import parse

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]

# What a check of the request raises: nothing was stored, and Flask checks it again and answers.
CHECKED = (HTTPException, ValidationError)

PATH = "/orders"
MAX_BYTES = 16 << 10  # a larger body takes long enough to delay the others on the loop
ERROR = "order_stream.error"
# What a browser sends, or what makes the body something else than so many bytes.
_UNUSUAL = ("HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE", "HTTP_TRANSFER_ENCODING")


class FastPath:
    """A WSGI application that places plain orders and leaves every other request to `otherwise`.

    otherwise: Flask's own application.
    """

    def __init__(self, app: Flask, trusted_hosts: TrustedHosts):
        self.otherwise: Wsgi = app.wsgi_app
        self._extensions = app.extensions
        self._trusted_hosts = trusted_hosts
        with app.test_request_context(PATH, method="POST"):
            headers = add_headers(Response(mimetype="application/json")).headers
        self._headers = [(name, value) for name, value in headers if name != "Content-Length"]
        app.before_request(_raise_handed_over)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer 201 once the order is stored, or let Flask answer."""
        if not self._is_plain(environ):
            return self.otherwise(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        try:
            draft = OrderDraft.model_validate(parse(body))
            idempotent = IdempotentRequest("POST", PATH, environ.get("HTTP_IDEMPOTENCY_KEY"), draft)
            placed = self._place(draft, idempotent)
        except CHECKED:
            placed = None
        except Exception as error:  # noqa: BLE001 - Flask knows how to answer it
            environ[ERROR], placed = error, None
        if placed is None:
            environ["wsgi.input"] = io.BytesIO(body)
            return self.otherwise(environ, start_response)
        location, answer = placed
        start_response(
            "201 CREATED", [*self._headers, ("Location", location), ("Content-Length", str(len(answer)))]
        )
        return [answer]

    def _is_plain(self, environ: Environ) -> bool:
        size = environ.get("CONTENT_LENGTH", "")
        return (
            environ["PATH_INFO"] == PATH
            and environ["REQUEST_METHOD"] == "POST"
            and environ.get("CONTENT_TYPE") == "application/json"
            and not environ.get("SCRIPT_NAME")
            and size.isascii()
            and size.isdecimal()
            and 0 < int(size) <= MAX_BYTES
            and environ.get("HTTP_HOST", "") in self._trusted_hosts
            and not any(name in environ for name in _UNUSUAL)
        )

    def _place(self, draft: OrderDraft, idempotent: IdempotentRequest) -> tuple[str, bytes] | None:
        """Store the order; return its location and the answer's body.

        Return None when the outbox is full, or when the key is in use: an earlier response may have to be found.
        """
        services: Services = self._extensions[EXTENSION]
        if refusal_when_full(services) is not None:
            return None
        with services.publisher.request_permit() as permit:
            placement = Order.place([draft], permit.grace)
            (order,) = placement.orders
            location = f"{PATH}/{order.id}"
            answer = responses.Order.model_validate(order).model_dump_json(exclude_unset=True).encode()
            try:
                services.group_commit.store(
                    placement,
                    idempotent.to_store(201, location, answer),
                    lambda: permit.publish(placement.events),
                )
            except KeyInUse:
                return None
        return location, answer


def _raise_handed_over() -> None:
    """Raise the error that the fast path met, for Flask's error handlers."""
    if (error := request.environ.get(ERROR)) is not None:
        raise error
