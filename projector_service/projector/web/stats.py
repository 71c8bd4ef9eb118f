"""What the orders add up to: now, by the minute, and by what was ordered."""

from flask import Blueprint, Response, request

from projector.services import current_services
from projector.store.queries import Minute
from projector.web import responses
from projector.web.parameters import read_number
from projector.web.responses import cacheable_response

stats = Blueprint("stats", __name__, url_prefix="/stats")

DEFAULT_MINUTES, MAX_MINUTES = 60, 1440
DEFAULT_ITEMS, MAX_ITEMS = 10, 100


@stats.get("")
def totals() -> Response:
    """Answer the sums of everything, all of one moment."""
    found = current_services().queries.stats()
    body = responses.Stats(
        orders=sum(found.by_status.values()),
        events=found.events,
        by_status=found.by_status,
        revenue=found.revenue,
        as_of={str(partition): offset for partition, offset in found.next_offsets.items()},
    )
    return cacheable_response(body)


@stats.get("/series")
def series() -> Response:
    """Answer the last minutes."""
    minutes = read_number(request, "minutes", DEFAULT_MINUTES, MAX_MINUTES)
    found = current_services().queries.series(minutes)
    return cacheable_response(responses.Series(minutes=[_minute(each) for each in found]))


def _minute(found: Minute) -> responses.Minute:
    return responses.Minute(
        minute=found.minute,
        events=sum(found.events.values()),
        by_status=found.events,
        amounts=found.amounts,
        revenue=found.revenue,
    )


@stats.get("/items")
def items() -> Response:
    """Answer the items that bring most revenue."""
    limit = read_number(request, "limit", DEFAULT_ITEMS, MAX_ITEMS)
    found = current_services().queries.items(limit)
    return cacheable_response(
        responses.Items(
            items=[
                responses.Item(
                    item=each.item, orders=each.orders, quantity=each.quantity, revenue=each.amount
                )
                for each in found
            ]
        )
    )
