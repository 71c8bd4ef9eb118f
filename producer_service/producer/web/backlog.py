"""The outbox's bound: beyond it new orders are refused, rather than accepted into a disk that fills up."""

from werkzeug.exceptions import ServiceUnavailable

from producer.services import Services

RETRY_AFTER_S = 5


def refusal_when_full(services: Services) -> ServiceUnavailable | None:
    """Return the error for a new order when too many events, or too old ones, wait to be published, or nobody knows."""
    backlog = services.backlog()
    if backlog is None:
        detail = "How many orders wait to be published is not known at the moment; none is taken until it is."
        return ServiceUnavailable(detail, retry_after=RETRY_AFTER_S)
    if not backlog.exceeds(services.backlog_limit):
        return None
    detail = "Too many orders wait to be published; none is taken until Kafka has caught up."
    return ServiceUnavailable(detail, retry_after=RETRY_AFTER_S)
