"""Everything that a run consists of, the steps that change it, and what must hold on the way and at the end."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from producer.domain.group_commit import GroupCommit
from producer.domain.models import Order
from producer.domain.partitioner import partition_of
from producer.relay.dispatch import MAX_STALENESS_S
from tests.simulation.publish.kafka import ODD_HEADERS, Copy, Kafka, Message, Question
from tests.simulation.publish.postgres import EPOCH, Engine, Measured, Postgres, Row, Transaction
from tests.simulation.publish.processes import FAILURES, LIMIT, Process, Relay, Shop
from tests.simulation.runner import Plan, Violation
from tests.simulation.stream.scheduler import UNLIMITED, Actor, Scheduler

DATABASE_S = 10_000.0
"""What PostgreSQL's clock shows at 0."""
KAFKA_S = EPOCH.timestamp() + DATABASE_S
ROUND_S = 0.25
MOST_ROUNDS = 600
STALLED_ROUNDS = 8
MOST_JUMP_S = 200.0
OLD_S = LIMIT.age_s + 100.0
CACHED_S = 2.0
OLD_EVENT_S = 30.0
NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class Event:
    """A committed event. due_at: by the database's clock, when the relay may first take it."""

    name: str
    order: str
    version: int
    payload: bytes
    direct: bool
    due_at: float
    copies: int = 0
    bytes_: tuple[Any, ...] | None = None


@dataclass
class Ledger:
    """What really happened, kept beside the product and never asked of it."""

    events: dict[str, Event] = field(default_factory=dict)
    by_version: dict[tuple[str, int], Event] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    discarded: set[str] = field(default_factory=set)
    parked: set[str] = field(default_factory=set)
    waiting_since: dict[str, float] = field(default_factory=dict)
    committed_after_s: dict[str, float] = field(default_factory=dict)
    waited_s: list[tuple[float, float]] = field(default_factory=list)
    """Until when an event waited, and how old it was then."""

    def oldest_s(self, now: float) -> float | None:
        """Return for how long the oldest event waits that can reach Kafka, or None."""
        return max((now - at for at in self.waiting_since.values()), default=None)

    def most_s(self, now: float) -> float:
        """Return the age that may be told of it: from when its transaction began."""
        since = self.waiting_since.items()
        return max((now - at + self.committed_after_s[key] for key, at in since), default=0.0)

    def most_lately_s(self, now: float) -> float:
        """Return the greatest age that may have been measured in the last CACHED_S."""
        lately = (age_s for until, age_s in self.waited_s if now - until <= CACHED_S)
        return max(self.most_s(now), max(lately, default=0.0))


class World:
    """A run of one plan."""

    mutant_shop: type[Shop] = Shop
    mutant_group_commit: type[GroupCommit] = GroupCommit
    mutant_relay: type[Relay] = Relay
    mutant_postgres: type[Postgres] = Postgres
    reports_success = False

    def __init__(self, plan: Plan, tells: bool) -> None:
        self.setup = plan.setup
        self.story: list[str] = []
        self._tells = tells
        self._problem: str | None = None
        self._ids = 0
        self._jumped_s = 0.0
        self._has_jumped = False
        self._expects_no_publish: Shop | None = None
        self.ledger = Ledger()
        self.scheduler = Scheduler(lambda actor: None)
        pause, wait = self.scheduler.pause, self.scheduler.wait
        self.postgres = self.mutant_postgres(self.database_clock, pause, wait, self._on_commit)
        self.postgres.measured = self._check_measured
        self.kafka = Kafka(self.setup["partitions"], self._kafka_clock, pause, wait, self._on_append)
        self.shops = [self.mutant_shop(self, f"shop {n}", 500.0 * n) for n in range(self.setup["shops"])]
        self.relays = [self.mutant_relay(self, f"relay {n}", 70.0 * n) for n in range(self.setup["relays"])]
        self.operator = Process(self, "operator", 0.0)
        self.asked: Shop = self.shops[0]

    # What the fakes and the processes ask

    def tell(self, line: str) -> None:
        """Add a line to the story."""
        if self._tells and (not self.story or self.story[-1] != line):
            self.story.append(line)

    def fail(self, problem: str) -> None:
        """Take note of a violation, also where the product might swallow an exception. Raises Violation."""
        self._problem = self._problem or problem
        raise Violation(problem)

    def database_clock(self) -> float:
        return self.scheduler.now + DATABASE_S + self._jumped_s

    def _kafka_clock(self) -> float:
        return self.scheduler.now + KAFKA_S

    def new_id(self) -> UUID:
        """Return a UUID v7 by the clock of the process that asks."""
        self._ids += 1
        process = self._current_process()
        clock_ms = int((process.clock() if process else 0) * 1000) & 0xFFFFFFFFFFFF
        noise = self._ids * 0x9E3779B97F4A7C15 & 0x3FFFFFFFFFFFFFFF
        return UUID(int=clock_ms << 80 | 7 << 76 | (self._ids & 0xFFF) << 64 | 2 << 62 | noise)

    def wall_clock(self) -> datetime:
        return EPOCH + timedelta(seconds=self.scheduler.now)

    @property
    def services(self) -> Any:
        """What `current_services()` returns: those of the shop that asks."""
        process = self._current_process()
        return (process if isinstance(process, Shop) else self.asked).services

    def _current_process(self) -> Process | None:
        actor = self.scheduler.current
        return next((p for p in self._processes() if actor in p.actors), None) if actor else None

    def _processes(self) -> list[Process]:
        return [*self.shops, *self.relays, self.operator]

    def wake_relays(self) -> None:
        """Deliver a NOTIFY."""
        for relay in self.relays:
            if relay.is_alive:
                relay.wake()

    def guard(self, process: Process, run: Callable[[], object]) -> None:
        """Run a thread; whatever it dies of is a finding."""
        try:
            run()
        except Violation:
            raise
        except Exception as error:  # noqa: BLE001
            last = traceback.extract_tb(error.__traceback__)[-1]
            self.fail(f"a thread ends with {type(error).__name__}: {error} ({last.name}, line {last.lineno})")

    # What is checked when it happens

    def _on_commit(self, transaction: Transaction) -> None:
        ledger = self.ledger
        ledger.discarded.update(key for table, key in transaction.writes if table == "outbox_discarded")
        for (table, key), row in transaction.writes.items():
            if table != "outbox":
                continue
            if row is None:
                ledger.parked.discard(key)
                self.tell(f"{transaction.owner} deletes the row of {self.name(key)}")
                if key not in self.kafka.given_ids and key not in ledger.discarded:
                    self.fail(f"the row of {self.name(key)} is deleted, and nobody has seen it in Kafka")
            elif key not in ledger.events:
                self._on_new_event(transaction, row)
            if row is not None and row.parked_at is not None and key not in ledger.parked:
                ledger.parked.add(key)
                self.tell(f"{transaction.owner} parks {self.name(key)}")
                if key not in self.kafka.refused:
                    self.fail(f"{self.name(key)} is parked, and it was refused only with its batch")
            elif row is not None and row.parked_at is None:
                ledger.parked.discard(key)
        self._note_who_waits(transaction)

    def _on_new_event(self, transaction: Transaction, row: Row) -> None:
        ledger = self.ledger
        if row.aggregateid not in ledger.orders:
            ledger.orders.append(row.aggregateid)
        name = f"{NAMES[ledger.orders.index(row.aggregateid) % 26]}{row.version}"
        event = Event(name, row.aggregateid, row.version, row.payload.encode(), row.direct, row.due_at)
        if (row.aggregateid, row.version) in ledger.by_version:
            self.fail(f"version {name} is committed twice")
        ledger.events[row.id] = ledger.by_version[row.aggregateid, row.version] = event
        self.tell(f"{transaction.owner} commits {name}{' (direct)' if row.direct else ''}")

    def _note_who_waits(self, transaction: Transaction) -> None:
        now, since = self.database_clock(), self.ledger.waiting_since
        waiting = {row.id for row in Postgres.waiting(self.postgres)}
        for key in [key for key in since if key not in waiting]:
            self.ledger.waited_s.append((now, now - since.pop(key) + self.ledger.committed_after_s[key]))
        for key in waiting - since.keys():
            since[key] = now
            self.ledger.committed_after_s[key] = now - transaction.began_at

    def _on_append(self, message: Message) -> None:
        event = self.ledger.events.get(message.id)
        if event is None:
            self.fail("an event is in Kafka that was never committed")
            return
        content = (message.key, message.value, tuple(message.headers_))
        if message.value != event.payload or event.bytes_ not in (None, content):
            self.fail(f"a copy of {event.name} has other bytes")
        event.bytes_ = content
        event.copies += 1
        if event.copies > 1:
            return
        for version in range(1, event.version):
            earlier = self.ledger.by_version[event.order, version]
            if not earlier.copies and self._id(earlier) not in self.ledger.discarded:
                self.fail(f"{event.name} is in Kafka before {earlier.name}")

    def _id(self, event: Event) -> str:
        return next(key for key, each in self.ledger.events.items() if each is event)

    def name(self, event_id: str) -> str:
        """Return an event's name in stories, such as A2: the second of the first order."""
        event = self.ledger.events.get(event_id)
        return event.name if event else "an uncommitted event"

    def on_direct_publish(self, shop: Shop, message: Message) -> None:
        """Check that a shop does not publish what may be the relay's by now."""
        event = self.ledger.events.get(message.id)
        shop.published += 1
        if shop is self._expects_no_publish:
            self.fail(f"{self.name(message.id)} is published directly, and the breaker is open")
        self.tell(f"{shop.name} hands {self.name(message.id)} to Kafka")
        if event is None or shop.lost_s or self._has_jumped:
            return
        if not event.direct:
            self.fail(f"{event.name} is published directly, and an earlier version was in the outbox")
        late_s = self.database_clock() - event.due_at
        if late_s >= 0:
            self.fail(f"{event.name} is published directly {late_s:.1f} s after its grace")

    def on_relay_publish(self, relay: Relay, message: Message) -> None:
        """Check that a relay does not send again what it could know to be in Kafka."""
        self.tell(f"{relay.name} hands {self.name(message.id)} to Kafka")
        if relay.lost_s or self._has_jumped or len(self.kafka.partitions) > self.setup["partitions"]:
            return
        known_at = relay.round_began_at + KAFKA_S - MAX_STALENESS_S - 0.001
        for stored in self.kafka.partitions[message.partition_].log:
            if stored and stored.key and stored.id == message.id and stored.at < known_at:
                there_s = self._kafka_clock() - stored.at
                self.fail(f"{relay.name} sends {self.name(message.id)} again, in Kafka for {there_s:.1f} s")

    def on_second_offer(self, relay: Relay, message: Message) -> None:
        """Take note of an event that is offered alone, since its batch was refused."""
        self.tell(f"{relay.name} hands {self.name(message.id)} to Kafka, on its own")

    def check_refusal(self, shop: Shop) -> None:
        """Check that an order was refused for a reason."""
        oldest_s = self.ledger.most_lately_s(self.database_clock())
        if oldest_s + CACHED_S < LIMIT.age_s and not self._has_jumped:
            self.fail(f"{shop.name} refuses an order, and the oldest event waits for {oldest_s:.0f} s")

    def check_stored(self, orders: Sequence[Order], is_answered: bool) -> None:
        """Check that orders are stored when they were answered, and not when it was said that nothing was stored."""
        stored = [str(order.id) in self.postgres.tables["orders"] for order in orders]
        if stored != [is_answered] * len(orders):
            self.fail(
                "orders are answered that are not stored" if is_answered else "orders are stored and refused"
            )

    def _check_measured(self, measured: Measured) -> None:
        """Compare the measured backlog with what really waits."""
        now = self.database_clock()
        if measured.parked != len(self.ledger.parked):
            self.fail(f"health counts {measured.parked} parked, there are {len(self.ledger.parked)}")
        oldest_s = self.ledger.oldest_s(now)
        told_s = measured.oldest_s
        if (told_s is None) != (oldest_s is None):
            self.fail(f"health says that the oldest event waits for {told_s} s; really {oldest_s}")
        if told_s is None or oldest_s is None or self._has_jumped:
            return
        if not oldest_s - 0.001 <= told_s <= self.ledger.most_s(now) + 0.001:
            self.fail(f"health says that the oldest event waits for {told_s} s; really {oldest_s}")

    def _check_proofs(self) -> None:
        """Check what each relay says it has seen: what was in Kafka by then has no row any more."""
        for relay in self.relays:
            if not relay.is_alive or relay.lost_s or self._has_jumped:
                continue
            for number, stale_s in relay.readback.staleness().items():
                if stale_s == float("inf"):
                    continue
                asked_at = self._kafka_clock() - stale_s
                for message in self.kafka.partitions[number].log:
                    if (
                        message
                        and message.key
                        and message.at < asked_at - 0.001
                        and message.id in self.postgres.outbox
                    ):
                        self.fail(
                            f"{relay.name} says it has read back partition {number} until {stale_s:.2f} s ago, and "
                            f"{self.name(message.id)} has been in it for {self._kafka_clock() - message.at:.2f} s"
                        )

    def _check(self) -> None:
        if self._problem:
            raise Violation(self._problem)
        self._check_proofs()

    def check_health(self, shop: Shop) -> dict[str, Any]:
        """Ask a shop for its health, and compare the answer with the truth."""
        if not shop.runs:
            return {}
        self.asked = shop
        told = shop.health()
        self.tell(f"{shop.name}: health is {told['status']}")
        if self.postgres.is_down:
            if told["status"] != "unavailable":
                self.fail(f"health is {told['status']} without a database")
            return told
        leaders = all(partition.has_leader for partition in self.kafka.partitions)
        if (told["checks"]["kafka"]["status"] == "ok") != leaders:
            self.fail(f"health says kafka is {told['checks']['kafka']}, all leaders there: {leaders}")
        if self._has_jumped:
            return told
        now = self.database_clock()
        is_well = leaders and not self.ledger.parked and shop.breaker.state != "open"
        if (refusal := told["checks"]["outbox"].get("refusal")) is not None and "caught up" in refusal:
            self.check_refusal(shop)
        if told["status"] == "ok" and not (is_well and (self.ledger.oldest_s(now) or 0) <= OLD_EVENT_S):
            self.fail("health is ok while something is not")
        if told["status"] != "ok" and is_well and self.ledger.most_s(now) <= OLD_EVENT_S:
            self.fail("health is not ok, and nothing is wrong")
        return told

    # Playing

    def play(self, plan: Plan) -> None:
        """Do all steps, end the faults, and let everything drain. Raises Violation."""
        for process in self._processes():
            process.start()
        for step in plan.steps:
            getattr(self, f"_{step[0]}")(*step[1:])
            self._check()
        self._drain()

    def close(self) -> None:
        for process in self._processes():
            process.die(0)

    def _turn(self, process: Process, actor: Actor, pauses: int) -> bool:
        if not process.runs or actor.is_done or not self.scheduler.turn(actor, pauses):
            return False
        if self._problem:
            raise Violation(self._problem)
        if pauses != UNLIMITED and not actor.is_done and actor.ready is None:
            self.tell(f"    {actor.name} stops {actor.where}")
        elif not actor.is_done and actor.ready is not None and "row lock" in actor.where:
            self.tell(f"    {actor.name} waits for a row lock")
        return True

    # Steps: requests and threads

    def _place(self, shop: int, count: int, pauses: int) -> None:
        at = self.shops[shop % len(self.shops)]
        if at.runs:
            self._turn(at, at.request("POST", lambda: at.place(count)), pauses)

    def _burst(self, shop: int, requests: int, pauses: int) -> None:
        """Start requests behind one that is not through, so that they wait and are stored as a group."""
        at = self.shops[shop % len(self.shops)]
        for number in range(requests):
            if at.runs:
                self._turn(
                    at,
                    at.request("POST", lambda: at.place(1)),
                    pauses if number in (0, requests - 1) else UNLIMITED,
                )

    def _move(self, shop: int, order: int, cancels: bool, pauses: int) -> None:
        at = self.shops[shop % len(self.shops)]
        if at.runs and self.ledger.orders:
            number = order % len(self.ledger.orders)
            order_id = UUID(self.ledger.orders[number])
            self._turn(
                at, at.request(f"PATCH {NAMES[number % 26]}", lambda: at.move(order_id, cancels)), pauses
            )

    def _go_on(self, which: int, pauses: int) -> None:
        """Let one of the unfinished requests or commands go on."""
        waiting = [
            (shop, each)
            for shop in self.shops
            for each in shop.requests
            if shop.is_alive and not each.is_done
        ]
        if waiting:
            self._turn(*waiting[which % len(waiting)], pauses)

    def _commands(self, pauses: int) -> None:
        for actor in self.operator.actors[:1]:
            self._turn(self.operator, actor, pauses)
        self.operator.actors = [actor for actor in self.operator.actors if not actor.is_done]

    def _reports(self, shop: int, pauses: int) -> None:
        at = self.shops[shop % len(self.shops)]
        if at.is_alive:
            self._turn(at, at.reports, pauses)

    def _relay(self, relay: int, thread: str, pauses: int) -> None:
        at = self.relays[relay % len(self.relays)]
        if at.is_alive:
            self._turn(at, at.dispatching if thread == "dispatch" else at.reading, pauses)
            self._bury(at)

    def _bury(self, relay: Relay) -> None:
        """End the whole process when one of its threads has ended; its supervisor starts it again."""
        if relay.is_alive and (relay.dispatching.is_done or relay.reading.is_done):
            relay.die(0)
            relay.start()

    def _operate(self, what: str, which: int, pauses: int) -> None:
        """Let an operator requeue or discard a parked event, or one that is not parked."""
        rows = sorted(self.postgres.outbox) if which == 7 else sorted(self.ledger.parked)
        if not rows:
            return
        key = rows[which % len(rows)]
        self.tell(f"An operator types: {what} {self.name(key)}")
        self.operator.actors = [actor for actor in self.operator.actors if not actor.is_done]
        actor = self.operator.spawn(what, lambda: self._command(what, key))
        self._turn(self.operator, actor, pauses)

    def _command(self, what: str, key: str) -> None:
        outbox = self.relays[0].outbox.__class__(Engine(self.postgres, "operator"))  # type: ignore[arg-type]
        try:
            getattr(outbox, what)(UUID(key))
        except SQLAlchemyError as error:
            self.tell(f"{what} fails: {str(error).splitlines()[0]}")

    def _clock(self, seconds: float) -> None:
        self.scheduler.now += seconds
        self.tell(f"{seconds:g} s pass")

    def _work(self, rounds: int) -> None:
        """Let everybody get on with it, without faults of their own."""
        self.tell(f"Everybody works for {rounds * ROUND_S:g} s")
        for _ in range(rounds):
            self._round()

    def _health(self, shop: int) -> None:
        self.check_health(self.shops[shop % len(self.shops)])

    # Steps: what happens to them

    def _deliver(self, which: int, how: str) -> None:
        if self.kafka.copies:
            copy = self.kafka.copies[which % len(self.kafka.copies)]
            self._deliver_copy(copy, how)

    def _deliver_copy(self, copy: Copy, how: str) -> None:
        at = len(self.story)
        if what := self.kafka.deliver(copy, how):
            who = f"{copy.client.owner.name}'s {self.name(copy.message.id)}"
            if self._tells:
                self.story.insert(at, f"{who} {what} in partition {copy.message.partition_}")

    def _answer(self, which: int, how: str) -> None:
        if self.kafka.questions:
            question = self.kafka.questions[which % len(self.kafka.questions)]
            said = self.kafka.reply(question, self._how(question, how))
            about = "the topic" if question.about == "topic" else f"the end of partition {question.partition}"
            self.tell(f"The brokers answer about {about}: {said}")

    def _how(self, question: Question, how: str) -> str:
        """Return what is answered about a partition whose leader has vanished."""
        if (
            question.partition >= 0
            and not self.kafka.partitions[question.partition].has_leader
            and how == "ok"
        ):
            return str(self.setup["vanished"])
        return how

    def _kill(self, process: int, keep: int) -> None:
        victims: list[Process] = [*self.shops, *self.relays]
        victim = victims[process % len(victims)]
        if victim.is_alive:
            self.tell(f"{victim.name} is killed")
            victim.die(keep)

    def _restart(self, process: int) -> None:
        dead = [p for p in (*self.shops, *self.relays) if not p.is_alive]
        if dead:
            self.tell(f"{dead[process % len(dead)].name} starts anew")
            dead[process % len(dead)].start()

    def _freeze(self, process: int, seconds: float, is_suspended: bool) -> None:
        """Freeze a process, or suspend its machine."""
        victims: list[Process] = [*self.shops, *self.relays]
        victim = victims[process % len(victims)]
        if victim.runs:
            victim.freeze(seconds, is_suspended)
            self.tell(f"{victim.name} is {'suspended' if is_suspended else 'frozen'} for {seconds:g} s")

    def _jump(self, seconds: float) -> None:
        """Set PostgreSQL's clock."""
        if abs(self._jumped_s + seconds) <= MOST_JUMP_S:
            self._jumped_s += seconds
            self._has_jumped = True
            self.tell(f"PostgreSQL's clock jumps by {seconds:g} s")

    def _database(self, what: str) -> None:
        if what == "commit":
            self.postgres.loses_commit = True
        elif what == "cut":
            self.postgres.disconnect()
        elif self.postgres.is_down != (what == "down"):
            self.postgres.is_down = what == "down"
            if self.postgres.is_down:
                self.postgres.disconnect()
            self.tell(f"PostgreSQL is {what}")

    def _leader(self, partition: int, is_there: bool) -> None:
        number = partition % len(self.kafka.partitions)
        if self.kafka.partitions[number].has_leader != is_there:
            self.kafka.partitions[number].has_leader = is_there
            self.tell(f"Partition {number} has {'a leader again' if is_there else 'no leader'}")

    def _lose(self, partition: int, count: int) -> None:
        number = partition % len(self.kafka.partitions)
        for message in self.kafka.lose_tail(number, count):
            self.ledger.events[message.id].copies -= 1
            self.tell(f"Kafka loses {self.name(message.id)} in partition {number}")

    def _grow(self) -> None:
        if len(self.kafka.partitions) < 4:
            self.kafka.grow()
            self.tell(f"The topic has {len(self.kafka.partitions)} partitions now")

    def _refresh(self, process: int) -> None:
        owners: list[Any] = [*self.shops, *self.relays]
        self._refresh_clients(owners[process % len(owners)])

    def _refresh_clients(self, owner: Any) -> None:
        for client in self._clients(owner):
            client.refresh()

    def _clients(self, owner: Any) -> list[Any]:
        if not owner.is_alive:
            return []
        if isinstance(owner, Shop):
            return [owner.publisher._producer]
        return [c for c in (owner.dispatcher._producer, owner.dispatcher._single_producer) if c is not None]

    def _break(self, process: int) -> None:
        """Let a Kafka producer of a process become unusable."""
        owners: list[Any] = [*self.shops, *self.relays]
        owner = owners[process % len(owners)]
        for client in self._clients(owner)[-1:]:
            client.break_down()
            self.tell(f"A Kafka client of {owner.name} breaks down")

    def _silence(self) -> None:
        """Let the consumers that there are receive nothing any more, as librdkafka's did after an outage."""
        for consumer in self.kafka.consumers:
            consumer.is_silent = True
            self.tell("A consumer receives nothing any more")

    def _odd(self, partition: int, kind: int) -> None:
        number = partition % len(self.kafka.partitions)
        self.kafka.append_odd(number, kind)
        what = "an odd message" if kind < len(ODD_HEADERS) else "a transaction marker"
        self.tell(f"Partition {number} gets {what}")

    def _poison(self, which: int) -> None:
        """Let the brokers refuse an event for its size, as long as nobody has taken it yet."""
        fresh = [
            key
            for key, event in self.ledger.events.items()
            if not event.copies and key not in self.kafka.given_ids
        ]
        if fresh:
            key = fresh[which % len(fresh)]
            self.kafka.refused.add(key)
            self.tell(f"{self.name(key)} is too large for Kafka")

    # The end

    def _round(self) -> None:
        """Let every thread run until it waits, and everything arrive that is on its way."""
        for process in self._processes():
            for actor in list(process.actors):
                self._turn(process, actor, UNLIMITED)
            process.actors = [actor for actor in process.actors if not actor.is_done] or process.actors[:0]
            if isinstance(process, Relay):
                self._bury(process)
        for copy in list(self.kafka.copies):
            if copy not in self.kafka.copies:
                continue  # refused with another one
            has_leader = self.kafka.partitions[copy.message.partition_].has_leader
            self._deliver_copy(copy, "ok" if has_leader else "lost")
        for question in list(self.kafka.questions):
            self.kafka.reply(question, self._how(question, "ok"))
        self.scheduler.now += ROUND_S
        self._check()

    def _end_faults(self) -> None:
        """End all faults but those of Kafka's leaders."""
        self.tell("The faults end")
        self.postgres.is_down = self.postgres.loses_commit = False
        self.kafka.end_silence()
        for process in self._processes():
            process.thaw()
            if not process.is_alive:
                process.start()
            if process is not self.operator:
                self._refresh_clients(process)

    def _drain(self) -> None:
        """End the faults; everything but what is parked must be read back within bounded rounds."""
        self._end_faults()
        if self.setup["ending"] == "outage":
            self._open_breakers()
        if self.setup["ending"] == "one leader away" and len(self.kafka.partitions) > 1:
            self._drain_the_reachable()
        for number in range(len(self.kafka.partitions)):
            self._leader(number, True)
        if len(self.kafka.partitions) > self.setup["partitions"]:
            self._place(0, 4, UNLIMITED)  # some of them into a new partition
        self._settle(lambda: not self.ledger.waiting_since)
        self._check_all_health()
        if self.ledger.parked:
            self._clear_parked()
        self._settle(lambda: not self.postgres.outbox)
        for key, event in self.ledger.events.items():
            if not event.copies and key not in self.ledger.discarded:
                self.fail(f"{event.name} was committed, and it is lost")
        self._close_breakers()

    def _open_breakers(self) -> None:
        """Take all leaders away: each breaker must open, and nothing may be published directly then."""
        if self._has_jumped or self.ledger.most_s(self.database_clock()) > LIMIT.age_s / 4:
            return  # orders may be refused, and then no breaker learns anything
        for number in range(len(self.kafka.partitions)):
            self._leader(number, False)
        self._settle(self._is_idle)
        for _ in range(FAILURES + 1):
            for number in range(len(self.shops)):
                self._place(number, 1, UNLIMITED)
            while self.kafka.copies:
                self._deliver_copy(self.kafka.copies[0], "lost")
            self._clock(ROUND_S)  # a thread may still poll a client that was replaced
            for shop in self.shops:
                self._turn(shop, shop.reports, UNLIMITED)
        for number, shop in enumerate(self.shops):
            if shop.breaker.state == "closed":
                self.fail(f"the breaker of {shop.name} is closed, and Kafka takes nothing")
            if shop.breaker.state == "open":
                self._expects_no_publish = shop
                self._place(number, 1, UNLIMITED)
                self._expects_no_publish = None
            self.check_health(shop)

    def _drain_the_reachable(self) -> None:
        """Leave one partition without a leader: the orders of the others must flow."""
        count = len(self.kafka.partitions)
        for number in range(count):
            self._leader(number, number != 0)
        self._place(0, 3, UNLIMITED)

        def is_done() -> bool:
            rows = (self.postgres.outbox.get(key) for key in self.ledger.waiting_since)
            return all(partition_of(row.aggregateid, count) == 0 for row in rows if row is not None)

        self._settle(is_done)

    def _clear_parked(self) -> None:
        """Let what is parked grow old, which must bother nobody, and then be requeued or discarded."""
        self._clock(OLD_S)
        self._work(1)
        self._check_all_health()
        self._place(0, 1, UNLIMITED)
        while self.ledger.parked:
            for number, key in enumerate(sorted(self.ledger.parked)):
                what = self.setup["operator"] if number % 2 == 0 else "discard"
                if what == "requeue":
                    self.kafka.refused.discard(key)
                self._operate(what, sorted(self.ledger.parked).index(key), UNLIMITED)
                self._check_all_health()
            self._settle(lambda: not self.ledger.waiting_since)

    def _check_all_health(self) -> None:
        for shop in self.shops:
            self.check_health(shop)

    def _settle(self, is_done: Callable[[], bool]) -> None:
        """Do rounds until a condition holds and no request is open. Raises Violation when they are too many."""
        rounds, stalled, before = 0, 0, None
        while not (is_done() and self._is_idle()):
            rounds += 1
            if rounds > MOST_ROUNDS:
                left = ", ".join(sorted(self.name(key) for key in self.postgres.outbox))
                self.fail(f"it does not drain: {left or 'a request'} is left")
            self._round()
            rows = self.postgres.outbox.values()
            now = (frozenset((row.id, row.attempts, row.parked_at) for row in rows), len(self.kafka.ours()))
            stalled = stalled + 1 if now == before else 0
            before = now
            if stalled >= STALLED_ROUNDS:
                first = {row.aggregateid: row.due_at for row in sorted(rows, key=lambda row: -row.version)}
                due_at = min(first.values(), default=0.0)
                self.scheduler.now += min(60.0, max(1.0, due_at - self.database_clock()))
                stalled = 0

    def _is_idle(self) -> bool:
        requests = [r for shop in self.shops for r in shop.requests if not r.is_done]
        return not requests and not any(not actor.is_done for actor in self.operator.actors)

    def _probe(self, number: int, shop: Shop) -> None:
        """Let a request publish nothing; the next one must be the probe all the same."""
        self._turn(shop, shop.request("PATCH unknown", lambda: shop.move(UUID(int=0), False)), UNLIMITED)
        before, is_usable = shop.published, not self._clients(shop)[0].is_unusable
        self._place(number, 1, UNLIMITED)
        if is_usable and shop.published == before:
            self.fail(f"{shop.name} sends no probe: a request that publishes nothing has used it up")

    def _close_breakers(self) -> None:
        """Place orders: Kafka takes them, so each breaker must close, and health must say that all is well."""
        for _ in range(4):
            if all(shop.breaker.state == "closed" for shop in self.shops):
                break
            self._clock(7.0)
            for number, shop in enumerate(self.shops):
                if shop.breaker.state != "closed":
                    self._probe(number, shop)
            self._settle(lambda: not self.postgres.outbox)
        for shop in self.shops:
            if shop.breaker.state != "closed":
                self.fail(
                    f"the breaker of {shop.name} stays {shop.breaker.state}, and Kafka takes everything"
                )
            if (told := self.check_health(shop))["status"] != "ok":
                self.fail(f"health stays {told['status']}, and nothing is wrong")
