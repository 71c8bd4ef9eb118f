"""The processes of the publish side, made of the product's own parts: shops (web processes) and relays."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from confluent_kafka import KafkaException
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound, ServiceUnavailable

from producer.domain.backlog import Backlog, BacklogLimit, measure_backlog
from producer.domain.draft import OrderDraft
from producer.domain.group_commit import NotTaken
from producer.domain.models import Order
from producer.domain.record import use_session
from producer.domain.status import TRANSITIONS, InvalidTransition, Status
from producer.publishing.breaker import Breaker, BreakerPolicy
from producer.publishing.publisher import Publisher
from producer.publishing.topic_health import TopicHealth
from producer.relay.dispatch import Dispatcher
from producer.relay.outbox import Lease, Outbox
from producer.relay.readback import ReadBack
from producer.web.backlog import refusal_when_full
from producer.web.health import ready
from tests.simulation.publish.kafka import TOPIC, Admin, Consumer, Producer
from tests.simulation.publish.postgres import Engine, Session
from tests.simulation.stream.scheduler import Actor

GRACE_S = 6.0
PRODUCER_DATABASE_S, RELAY_DATABASE_S = 5.0, 3.0
LIMIT = BacklogLimit(rows=1000, age_s=120.0)
FAILURES = 2
DRAFT = OrderDraft(customer_name="Ada", item="Coat", unit_price="1.00", quantity=1)  # type: ignore[arg-type]


class Process:
    """A process with a clock of its own. lost_s: for how long its machine was suspended, unknown to its clock."""

    def __init__(self, world: Any, name: str, clock_s: float) -> None:
        self.world, self.name, self._clock_s = world, name, clock_s
        self.lost_s = 0.0
        self.frozen_until = 0.0
        self.is_suspended = False
        self.actors: list[Actor] = []
        self.is_alive = False

    def clock(self) -> float:
        """Return the time by its monotonic clock, in seconds."""
        now: float = self.world.scheduler.now
        return now + self._clock_s - self.lost_s

    @property
    def runs(self) -> bool:
        """Whether it is alive and not frozen."""
        return self.is_alive and self.world.scheduler.now >= self.frozen_until

    def freeze(self, seconds: float, is_suspended: bool) -> None:
        """Stop for a while; a suspended machine's monotonic clock stands still meanwhile."""
        self.frozen_until = self.world.scheduler.now + seconds
        self.is_suspended = is_suspended
        if is_suspended:
            self.lost_s += seconds

    def thaw(self) -> None:
        """Go on before the time is over."""
        left_s = self.frozen_until - self.world.scheduler.now
        if left_s > 0 and self.is_suspended:
            self.lost_s -= left_s
        self.frozen_until = 0.0

    def spawn(self, name: str, run: Callable[[], object]) -> Actor:
        """Add a thread."""
        actor: Actor = self.world.scheduler.spawn(f"{self.name} {name}", partial(self.world.guard, self, run))
        self.actors.append(actor)
        return actor

    def start(self) -> None:
        """Begin anew, with nothing in memory."""
        self.lost_s = self.frozen_until = 0.0
        self.is_alive = True

    def die(self, keep: int) -> None:
        """Be killed. keep: of what it was sending, every so many-th message is on its way all the same; 0: none."""
        self.is_alive = False
        for actor in self.actors:
            if not actor.is_done:
                self.world.scheduler.kill(actor)
        self.actors.clear()
        self.world.postgres.disconnect(self.name)
        mine = [copy for copy in self.world.kafka.copies if copy.client.owner is self]
        for number, copy in enumerate(mine):
            copy.on_delivery = None
            if not keep or number % keep:
                self.world.kafka.copies.remove(copy)


class Shop(Process):
    """A web process, with requests that run side by side."""

    def start(self) -> None:
        super().start()
        world = self.world
        self.requests: list[Actor] = []
        self.published = 0
        policy = BreakerPolicy(failures=FAILURES, open_s=5.0, probe_s=6.0)
        self.breaker = Breaker(policy, self.clock)
        self.publisher = self._publisher()
        engine: Any = Engine(world.postgres, self.name, PRODUCER_DATABASE_S)
        self.engine = engine
        self.group_commit = self.world.mutant_group_commit(engine, PRODUCER_DATABASE_S)
        self.services: Any = SimpleNamespace(
            publisher=self.publisher,
            topic_health=SimpleNamespace(begin=lambda: TopicHealth(self.publisher, TOPIC, 2)),
            backlog=self._backlog,
            outbox_health=partial(measure_backlog, engine),
            backlog_limit=LIMIT,
            database_health=world.postgres.require_up,
        )
        before = len(world.scheduler.actors)
        self.publisher.start()
        self.actors += world.scheduler.actors[before:]
        self.reports = self.actors[-1]

    def _publisher(self) -> Publisher:
        return Publisher(
            lambda: Producer(
                self.world.kafka, self, room=self.world.setup["room"], produced=self.world.on_direct_publish
            ),
            TOPIC,
            timedelta(seconds=GRACE_S),
            self.breaker,
            self.world.wake_relays,
            self.clock,
        )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Commit at the end of the block; roll back when an error leaves it (Database.transaction)."""
        postgres = self.world.postgres
        transaction = postgres.begin(self.name, PRODUCER_DATABASE_S)
        session = Session(postgres, transaction)
        try:
            with use_session(session):  # type: ignore[arg-type]
                yield session
            postgres.pause("before COMMIT")
            postgres.commit(transaction)
        finally:
            postgres.rollback(transaction)
        postgres.pause("after COMMIT")

    def _backlog(self) -> Backlog | None:
        """Return the backlog, or None when nobody knows (BacklogMonitor)."""
        try:
            return measure_backlog(self.engine)
        except SQLAlchemyError:
            return None

    def place(self, count: int) -> None:
        """POST /orders, as producer/web/orders.py does it."""
        refusal = refusal_when_full(self.services)
        with self.publisher.request_permit() as permit:
            if refusal is not None:
                raise refusal
            placement = Order.place([DRAFT] * count, permit.grace)
            self.before_commit(permit, placement.events)
            try:
                self.group_commit.store(placement, None, lambda: permit.publish(placement.events))
            except NotTaken:
                self.world.check_stored(placement.orders, False)
                raise
            self.world.check_stored(placement.orders, True)

    def move(self, order_id: UUID, cancels: bool) -> None:
        """PATCH /orders/ID, as producer/web/orders.py does it."""
        with self.publisher.request_permit() as permit:
            with self.transaction():
                order = Order.get_for_update(order_id)
                if order is None:
                    raise NotFound
                targets = TRANSITIONS[Status(order.status)]
                wanted = targets[-1 if cancels else 0] if targets else Status.CONFIRMED
                event = order.move_to(wanted, permit.grace)
                self.before_commit(permit, [event])
            permit.publish([event])

    def before_commit(self, permit: Any, events: list[Any]) -> None:
        """Do nothing: a mutant publishes here."""

    def request(self, what: str, run: Callable[[], object]) -> Actor:
        """Begin a request, in a thread of its own."""

        def handle() -> None:
            try:
                run()
                self.world.tell(f"{self.name}: {what} is answered")
            except ServiceUnavailable as error:
                self.world.tell(f"{self.name}: {what} is refused: {error.description}")
                if "caught up" in str(error.description):
                    self.world.check_refusal(self)
            except (SQLAlchemyError, NotTaken, InvalidTransition, NotFound) as error:
                self.world.tell(f"{self.name}: {what} fails: {type(error).__name__}")

        actor = self.spawn(what, handle)
        self.requests = [each for each in self.requests if not each.is_done] + [actor]
        return actor

    def health(self) -> dict[str, Any]:
        """GET /health/ready."""
        body: dict[str, Any] = json.loads(ready().get_data())
        return body


class Relay(Process):
    """A relay: the thread that dispatches, and the thread that reads back."""

    def start(self) -> None:
        super().start()
        world = self.world
        self.woken = False
        self.round_began_at = world.scheduler.now
        self.outbox = self._outbox()
        self.readback = ReadBack(
            self.outbox,
            lambda: Consumer(world.kafka),  # type: ignore[arg-type, return-value]
            lambda: Admin(world.kafka),  # type: ignore[arg-type, return-value]
            TOPIC,
            self.wake,
            self.clock,
        )
        self.dispatcher = Dispatcher(
            self.outbox,
            self.readback,
            self._client(),
            TOPIC,
            self.clock,
            new_bulk_producer=self._client,
            new_single_producer=lambda: self._client(is_batching=False),
            in_flight=min(world.setup["in_flight"], world.setup["room"]),
        )
        self.dispatching = self.spawn("dispatch", self._dispatch)
        self.reading = self.spawn("read-back", self._read)

    def _outbox(self) -> Outbox:
        engine = Engine(self.world.postgres, self.name, RELAY_DATABASE_S)
        return Outbox(engine, Lease(first_s=10))  # type: ignore[arg-type]

    def _client(self, is_batching: bool = True) -> Any:
        return Producer(
            self.world.kafka, self, is_batching=is_batching,
            reports_success=self.world.reports_success, room=self.world.setup["room"],
            produced=self.world.on_relay_publish if is_batching else self.world.on_second_offer,
        )  # fmt: skip

    def wake(self) -> None:
        self.woken = True

    def _dispatch(self) -> None:
        while True:
            self.round_began_at = self.world.scheduler.now
            try:
                pause_s = self.dispatcher.run_once()
            except KafkaException:
                self.world.tell(f"{self.name} ends: its Kafka client is unusable")
                return
            self.world.scheduler.wait(lambda: self.woken, pause_s, "work")
            self.woken = False

    def _read(self) -> None:
        while True:
            pause_s = self.readback.step()
            self.world.scheduler.wait(lambda: False, pause_s, "the next step")
