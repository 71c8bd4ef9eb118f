"""What is missing goes back into the outbox, with the bytes and ids that it had."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import attrgetter
from threading import Event as Pause
from time import monotonic
from uuid import UUID

import sqlalchemy as sa

from producer.domain.database import Database
from producer.domain.events import Event
from producer.domain.history import NotReproducible, past_events
from producer.domain.models import NO_GRACE, Order, OutboxEvent
from producer.ledger.sightings import Missing

ORDERS_AT_ONCE = 500
LATER_ONE_WAITS_S = 10.0
RETRY_S = 0.5
NAMED = 20

_ALONE = sa.text("SELECT pg_try_advisory_lock(hashtextextended('ledger --repair', 0))")

LATER_ONE_WAITS = "a later event of the order is in the outbox; once that has left it, repair again"
NO_ORDER = "the order has been deleted"


class RepairRuns(Exception):
    """Another repair is running; two would put the same event back twice."""

    def __init__(self) -> None:
        super().__init__("Another ledger --repair is running.")


@dataclass
class Outcome:
    """How many events were put back, and of those that were not how many and the first few, by the reason."""

    put_back: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    named: list[tuple[UUID, int, str]] = field(default_factory=list)

    def refuse(self, missing: Iterable[Missing], reason: str) -> None:
        """Count events that are not put back."""
        for each in missing:
            self.refused[reason] += 1
            if len(self.named) < NAMED:
                self.named.append((UUID(bytes=each.order_id), each.version, reason))


class Repair:
    """Puts missing events back, a few hundred orders in one transaction. Safe to repeat and beside relays.

    An event goes back under the lock of its order, and only while no later one of the order is in the outbox: a relay,
    or a producer that publishes directly, may have that in its hands, and a later version is never handed to Kafka
    while an earlier one is in the outbox. Later versions that are stored from now on wait behind it, as ever.
    """

    def __init__(self, database: Database):
        self._database = database
        self.outcome = Outcome()

    def put_back(self, missing: Iterable[Missing]) -> Outcome:
        """Put back what is missing, which comes sorted by order. Raises RepairRuns, SQLAlchemyError."""
        with self._database.engine.connect() as alone:
            if not alone.execute(_ALONE).scalar_one():
                raise RepairRuns
            alone.commit()  # the lock is the session's, so no transaction need be open
            waiting = [each for batch in _batches(missing) for each in self._put_back_batch(batch)]
            self._try_again(waiting)
            alone.invalidate()  # ends the session, and with it the lock
        return self.outcome

    def _try_again(self, waiting: list[Missing]) -> None:
        """Wait a while for later events to leave the outbox."""
        end = monotonic() + LATER_ONE_WAITS_S
        while waiting and monotonic() < end:
            Pause().wait(RETRY_S)
            waiting = [each for batch in _batches(waiting) for each in self._put_back_batch(batch)]
        self.outcome.refuse(waiting, LATER_ONE_WAITS)

    def _put_back_batch(self, batch: dict[UUID, list[Missing]]) -> list[Missing]:
        """Put back what can be put back now; return what a later event of its order keeps from it."""
        put_back, waiting = list[Event](), list[Missing]()
        with self._database.transaction():
            orders = {order.id: order for order in Order.get_all_for_update(list(batch))}
            # A later statement than the one that takes the locks, as in Order.move_to.
            in_outbox = OutboxEvent.versions_of(list(batch))
            for order_id, missing in batch.items():
                present = in_outbox.get(order_id, set())
                absent = [each for each in missing if each.version not in present]
                free = [each for each in absent if each.version > max(present, default=0)]
                waiting += [each for each in absent if each not in free]
                put_back += self._events(orders.get(order_id), free)
            if put_back:
                OutboxEvent.add(put_back, direct=False, grace=NO_GRACE)
        self.outcome.put_back += len(put_back)
        return waiting

    def _events(self, order: Order | None, missing: list[Missing]) -> list[Event]:
        if not missing:
            return []
        if order is None:
            self.outcome.refuse(missing, NO_ORDER)
            return []
        try:
            events = past_events(order)
        except NotReproducible as error:
            self.outcome.refuse(missing, str(error))
            return []
        return [events[each.version - 1] for each in missing]


def _batches(missing: Iterable[Missing]) -> Iterator[dict[UUID, list[Missing]]]:
    by_order = groupby(missing, attrgetter("order_id"))
    orders = ((UUID(bytes=order_id), list(group)) for order_id, group in by_order)
    while batch := dict(islice(orders, ORDERS_AT_ONCE)):
        yield batch
