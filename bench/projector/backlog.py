"""A backlog on the topic: events as the producer makes them, of orders that are placed, changed and cancelled."""

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from confluent_kafka import Producer

from producer.config import Settings
from producer.demo.catalogue import ITEMS
from producer.domain.events import Event, order_event
from producer.publishing.kafka import bulk_producer_settings

PATHS = (
    (),
    ("cancelled",),
    ("confirmed",),
    ("confirmed", "shipped", "delivered"),
)
# As if so many events had come each second; so many orders wait for their next change.
PER_SECOND, WAITING = 500, 5000
ACKNOWLEDGED_S = 60


@dataclass
class Order:
    """An order as the producer knows it when it makes an event."""

    id: UUID
    item: str
    unit_price: Decimal
    quantity: int
    created_at: datetime
    updated_at: datetime
    version: int = 1
    status: str = "placed"
    customer_name: str = "Ada Lovelace"
    description: str = "Leave with the neighbour"
    event_id: UUID | None = None

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity


def events(count: int, began: datetime, seed: int = 1) -> Iterator[Event]:
    """Make up events in the order in which they happen."""
    rand = random.Random(seed)
    waiting: deque[tuple[Order, tuple[str, ...]]] = deque()
    for number in range(count):
        moment = began + timedelta(seconds=number / PER_SECOND)
        if len(waiting) > rand.randrange(2 * WAITING):
            order, steps = waiting.popleft()
            order.status, *rest = steps
            order.version, order.updated_at = order.version + 1, moment
        else:
            order, rest = _placed(rand, moment), [*rand.choice(PATHS)]
        event = order_event(order)
        order.event_id = event.id
        if rest:
            waiting.append((order, tuple(rest)))
        yield event


def _placed(rand: random.Random, moment: datetime) -> Order:
    item = rand.choice(ITEMS)
    name = f"{item.name}, {rand.choice(item.variants)}" if item.variants else item.name
    price = Decimal(rand.randrange(100 * item.low, 100 * item.high)) / 100
    milliseconds = int(moment.timestamp() * 1000)
    order_id = UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | rand.getrandbits(62))
    return Order(order_id, name, price, rand.randrange(1, 5), moment, moment)


def put(settings: Settings, made: Iterable[Event]) -> None:
    """Publish events in order, many in a request. Raises TimeoutError when Kafka does not acknowledge all."""
    patient = {"delivery.timeout.ms": ACKNOWLEDGED_S * 1000, "request.timeout.ms": 30_000}
    producer = Producer(bulk_producer_settings(settings) | patient)
    for event in made:
        while True:
            try:
                producer.produce(settings.kafka_topic, event.payload, str(event.order_id))
                break
            except BufferError:
                producer.poll(0.1)
    if left := producer.flush(ACKNOWLEDGED_S):
        raise TimeoutError(f"{left} events were not acknowledged within {ACKNOWLEDGED_S} s.")
