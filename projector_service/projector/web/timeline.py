"""The versions of one order."""

from uuid import UUID

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from projector.services import current_services
from projector.web import responses
from projector.web.responses import cacheable_response

timeline = Blueprint("timeline", __name__)


@timeline.get("/orders/<uuid:order_id>/timeline")
def show_timeline(order_id: UUID) -> Response:
    """Answer every version of the order that has been read, with the place of its event."""
    found = current_services().queries.timeline(order_id)
    if not found:
        raise NotFound(f"No event of an order {order_id} has been read.")
    versions = [responses.Version.model_validate(each) for each in found]
    return cacheable_response(responses.Timeline(order_id=order_id, versions=versions))
