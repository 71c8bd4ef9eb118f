"""One run under load: a fault is put in, healed, and everything that was promised is checked."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import requests

from local_stack.services import PROJECTOR, PROJECTORS
from producer.domain.status import Status
from tests.chaos import verdict
from tests.chaos.customers import Attempt, Customers, Outcome
from tests.chaos.observers import Dashboard, TopicReader, Watcher, ids_of
from tests.chaos.proxied_stack import ProxiedStack
from tests.chaos.table import Row
from tests.chaos.verdict import Health, Stored
from tests.eventually import eventually
from tests.projected import differences
from tests.shop import Shop

SAMPLE_S = 0.5
DRAINED_WITHIN_S = 60
SHOWN_WITHIN_S = 60
COUNTED_WITHIN_S = 60
# Where orders are to be taken all the while: over four customers, on a machine that has all services to run.
LONGEST_PAUSE_S = 10
# Somewhat less than the dashboard's table holds, as two viewers have the events of two partitions in another order.
TABLE_ROWS = 900

Inject = Callable[["Trial"], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """name: as in the table. inject: breaks something on entry and heals it on exit. lasts_s: how long it is left
    broken; 0 for what heals by itself. within_s: stated: so long after the heal all is well, by itself.
    takes_orders: every order is to be taken meanwhile."""

    name: str
    inject: Inject
    within_s: float
    lasts_s: float = 0.0
    takes_orders: bool = False


@dataclass
class Trial:
    """A stack under load, with those who watch it.

    urls: the producers that customers use in turn.
    """

    stack: ProxiedStack
    urls: list[str]
    customers: Customers
    watchers: list[Watcher]
    topic: TopicReader
    dashboard: Dashboard | None
    health: list[Health] = field(default_factory=list)

    @classmethod
    @contextmanager
    def started(cls, stack: ProxiedStack, dashboard: Dashboard | None = None) -> Iterator["Trial"]:
        """Begin the load on a running stack, and look at its health all the while."""
        urls = [stack.env["PRODUCER_URL"]]
        turn = iter(range(1 << 60))
        with ExitStack() as running:
            stream = stack.env["CONSUMER_URL"] + "/stream"
            watchers = [running.enter_context(Watcher(f"viewer {n}", stream)) for n in (1, 2)]
            for watcher in watchers:
                eventually(watcher.is_live)
            customers = Customers(lambda: urls[next(turn) % len(urls)])
            topic = TopicReader(stack.env["KAFKA_BOOTSTRAP_SERVERS"], "orders")
            trial = cls(stack, urls, customers, watchers, topic, dashboard)
            stop = threading.Event()
            sampling = threading.Thread(target=trial._sample, args=(stop,), daemon=True)
            sampling.start()
            running.callback(sampling.join, 10)
            running.callback(stop.set)
            running.enter_context(customers)
            yield trial

    def run(self, fault: Fault) -> Row:
        """Put the fault in, heal it, wait until all is well, and check what is promised.

        Returns the row of the table. Raises AssertionError with every problem.
        """
        self.customers.go_on()
        first, repeats = len(self.customers.attempts), verdict.repeats(self.topic.seen)
        odd, looks, began = len(self.customers.odd), len(self.health), time.monotonic()
        with fault.inject(self):
            threading.Event().wait(fault.lasts_s)
        healed = time.monotonic()
        try:
            self._recover(fault.within_s)
        except AssertionError as error:
            raise AssertionError(f"{fault.name}: {error}") from error
        recovered_s = time.monotonic() - healed
        self.customers.pause()
        ended = time.monotonic()
        attempts = self.customers.attempts
        ours = attempts[first:]
        problems = self._drain(attempts)
        problems += self._problems(attempts)
        problems += verdict.untrue_health(ours, self.health[looks:])
        problems += [f"an odd answer: {each}" for each in self.customers.odd[odd:]]
        refused = [a for a in ours if a.first is Outcome.REFUSED]
        unknown = [a for a in ours if a.first is Outcome.UNKNOWN]
        if fault.takes_orders and (refused or unknown):
            problems.append(f"orders were not taken: {len(refused)} refused, {len(unknown)} unanswered")
        pause_s = verdict.longest_pause(ours, began, ended)
        if fault.takes_orders and pause_s > LONGEST_PAUSE_S:
            problems.append(f"no order was taken for {pause_s:.1f} s")
        assert not problems, "\n".join([fault.name, *problems])
        return Row(
            fault.name,
            acknowledged=len(verdict.acknowledged(ours)),
            refused=len(refused),
            unknown=len(unknown),
            repeats=verdict.repeats(self.topic.seen) - repeats,
            pause_s=pause_s,
            recovered_s=recovered_s,
            within_s=fault.within_s,
        )

    def place(self) -> str:
        """Place an order outside the load; return its id. Raises AssertionError when it is not acknowledged."""
        try:
            return Shop(self.urls[0]).place()
        except requests.RequestException as error:
            raise AssertionError(str(error)) from error

    def place_and_change(self) -> None:
        """Place an order and change it at once: its second version is the relay's to publish."""
        order_id = self.place()
        url = f"{self.urls[0]}/orders/{order_id}"
        requests.patch(url, json={"status": Status.CONFIRMED}, timeout=10)

    def _recover(self, within_s: float) -> None:
        """Wait until an order is taken, is seen by the first viewer, and every service says that it is healthy."""
        end = time.monotonic() + within_s
        order_id = eventually(self.place, within=within_s, every=0.2)
        watcher = self.watchers[0]

        def is_shown() -> bool:
            return any(event.order_id == order_id for event in watcher.seen[-5000:])

        eventually(is_shown, within=max(1.0, end - time.monotonic()), every=0.1)
        eventually(self.stack.is_healthy, within=max(1.0, end - time.monotonic()), every=0.2)

    def _drain(self, attempts: list[Attempt]) -> list[str]:
        """Wait until the outbox is empty and everybody has seen what was acknowledged; what does not come is told
        by the checks that follow."""
        try:
            eventually(lambda: self._outbox() == (0, 0), within=DRAINED_WITHIN_S)
        except AssertionError:
            return [f"the outbox was not drained: {self._outbox()} rows waiting, parked"]

        def all_have_it() -> bool:
            """Everything that is stored: what nobody knows of may have been stored a moment ago."""
            stored = self._stored()
            for watcher in self.watchers:
                problems = verdict.never_seen(stored, list(watcher.seen), watcher.name)
                assert not problems, problems
            expected = verdict.acknowledged(attempts)
            return not self._not_shown(expected)

        try:
            eventually(all_have_it, within=SHOWN_WITHIN_S, every=0.3)
        except AssertionError:
            return [f"not everybody had seen everything within {SHOWN_WITHIN_S} s"]
        return self._figures()

    def _figures(self) -> list[str]:
        """Wait until the projector's figures are those of the orders, in its tables and in its answer, and it is
        healthy; return what is wrong then."""

        def are_right() -> bool:
            wrong = differences(self._query) or self._wrong_answer() or self._ill_projectors()
            assert not wrong, wrong
            return True

        try:
            eventually(are_right, within=COUNTED_WITHIN_S, every=0.3)
        except AssertionError as error:
            return [f"the projector: {error}"]
        return []

    def _wrong_answer(self) -> list[str]:
        by_status = self._query("SELECT status, count(*), sum(total) FROM orders GROUP BY 1")
        try:
            answer = requests.get(f"{self.stack.url_of(PROJECTOR)}/stats", timeout=5).json()
        except (requests.RequestException, ValueError) as error:
            return [f"it does not answer: {error}"]
        return verdict.wrong_figures(answer, by_status)

    def _ill_projectors(self) -> list[str]:
        found = self.stack.services()
        return [
            f"{name} is {found[name]['health']}"
            for name in found
            if name in PROJECTORS and found[name]["health"] != "healthy"
        ]

    def _problems(self, attempts: list[Attempt]) -> list[str]:
        self.topic.read_on()
        stored = self._stored()
        found = verdict.lost_orders(attempts, stored) + verdict.wrongly_answered(attempts, stored)
        for each in self._observers():
            seen = list(each.seen)
            found += verdict.missing(attempts, seen, each.name)
            found += verdict.invented(stored, seen, each.name)
            found += verdict.never_seen(stored, seen, each.name)
            found += verdict.mixed_up(stored, seen, each.name)
            found += verdict.out_of_order(seen, each.name)
        found += verdict.changed_bytes(event for each in self._observers() for event in each.seen)
        for watcher in self.watchers:
            found += [f"{watcher.name} was told a gap: {gap}" for gap in watcher.gaps()]
            found += verdict.late_without_a_word(
                attempts, list(watcher.seen), watcher.states, self.health, watcher.name
            )
        if self.dashboard is not None:
            shown = self.dashboard.look()
            lacking = self._not_shown(verdict.acknowledged(attempts))
            found += [f"the dashboard never showed {len(lacking)} events"] if lacking else []
            invented = shown - ids_of(self.topic.seen)
            found += [f"the dashboard showed what is not in the topic: {invented}"] if invented else []
        return found

    def _not_shown(self, changes: set[tuple[str, int]]) -> set[str]:
        """Return the ids of the events of these changes that the dashboard should have shown.

        What is drawn at once is a whole table of rows at most. Of what came after a freeze, it need only have counted
        what is older than that.
        """
        if self.dashboard is None:
            return set()
        shown, expected = self.dashboard.look(), self._events_of(changes)
        newest = {event.event_id for event in self.watchers[0].seen[-TABLE_ROWS:]}
        has_counted_all = self.dashboard.counts() >= len(expected | shown)
        return (expected - shown) & newest if has_counted_all else expected - shown

    def _events_of(self, changes: set[tuple[str, int]]) -> set[str]:
        """Return the ids of the events of these changes, as far as a viewer has seen them."""
        return {e.event_id for e in self.watchers[0].seen if (e.order_id, e.version) in changes}

    def _observers(self) -> list[Watcher | TopicReader]:
        return [*self.watchers, self.topic]

    def _stored(self) -> dict[str, Stored]:
        rows = self._query("SELECT id::text, version, customer_name FROM orders")
        return {order_id: Stored(version, customer) for order_id, version, customer in rows}

    def _outbox(self) -> tuple[int, int]:
        waiting, parked = self._query("SELECT count(*), count(parked_at) FROM outbox")[0]
        return waiting, parked

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.stack.owner_url(), connect_timeout=5)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def _sample(self, stop: threading.Event) -> None:
        """Ask for the producer's health all the while, past the proxy."""
        while not stop.wait(SAMPLE_S):
            status, asked = None, time.monotonic()
            try:
                url = self.stack.url_of("producer")
                status = requests.get(f"{url}/health/ready", timeout=3).json()["status"]
            except (requests.RequestException, ValueError, KeyError):
                pass
            self.health.append(Health(asked, time.monotonic(), status))
