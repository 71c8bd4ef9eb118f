"""The simulation's outbox is held against PostgreSQL: the same random statements, with the same results.

The simulation (tests/simulation/publish) believes its fake. Here each statement of the relay, the shop and the
operator runs on both, one after the other, and every row is compared. What several connections do to one another
is compared in scripts: one holds a row or has not committed, the other one runs a statement.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from producer.domain.backlog import measure_backlog
from producer.domain.draft import OrderDraft
from producer.domain.group_commit import GroupCommit
from producer.domain.models import Order
from producer.domain.record import use_session
from producer.domain.status import Status
from producer.relay.outbox import Lease, Outbox
from producer.services import Services
from tests.eventually import eventually
from tests.simulation.publish.mutants import (
    ClaimsBehindParked,
    ClaimsEarliestDue,
    CountsBehindParked,
    KeepsAge,
)
from tests.simulation.publish.postgres import EPOCH, Engine, Postgres, Row
from tests.simulation.publish.postgres import Session as FakeSession

ORDERS = [uuid4() for _ in range(3)]
TIME_TOLERANCE_S = 5.0
"""Two databases run a statement one after the other, on a busy machine."""

ROWS = sa.text(
    """
    SELECT id::text, aggregateid::text, version, direct, attempts, parked_reason,
        extract(epoch FROM created_at)::float8 AS created_at, extract(epoch FROM due_at)::float8 AS due_at,
        extract(epoch FROM parked_at)::float8 AS parked_at
    FROM outbox ORDER BY id
    """
)
INSERT = sa.text(
    """
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, created_at, due_at, attempts)
    VALUES (:id, 'order', :aggregateid, 'order.placed', '{}', :version, :direct, to_timestamp(:created_at),
        to_timestamp(:due_at), :attempts)
    """
)


class Both:
    """A real outbox and a fake one, whose clock is the real one's. Statements run on both."""

    def __init__(self, engine: sa.Engine, fake: type[Postgres] = Postgres) -> None:
        self.engine = engine
        self.fake = fake(self._clock)
        self.real_outbox = Outbox(engine, Lease(first_s=40, longest_s=400))
        self.fake_outbox = Outbox(Engine(self.fake, "relay"), Lease(first_s=40, longest_s=400))  # type: ignore[arg-type]
        with engine.connect() as connection:
            connection.execute(sa.text("TRUNCATE outbox, outbox_discarded"))

    def _clock(self) -> float:
        with self.engine.connect() as connection:
            return float(
                connection.execute(
                    sa.text("SELECT extract(epoch FROM clock_timestamp())::float8")
                ).scalar_one()
            )

    def insert(
        self, order: UUID, version: int, direct: bool, age_s: float, due_s: float, attempts: int
    ) -> str:
        """Store a row in both. age_s: how old it is. due_s: when it is due, from now."""
        now = self._clock()
        row = Row(
            str(uuid4()),
            str(order),
            "order.placed",
            "{}",
            version,
            direct,
            now - age_s,
            now + due_s,
            attempts,
        )
        values = {name: getattr(row, name) for name in ("id", "aggregateid", "version", "direct", "attempts")}
        times = {"created_at": row.created_at, "due_at": row.due_at}
        with self.engine.connect() as connection:
            connection.execute(INSERT, values | times)
        self.fake.outbox[row.id] = row
        return row.id

    def do(self, run: Callable[[Outbox], Any]) -> Any:
        """Run on both, and return what both return."""
        real, fake = run(self.real_outbox), run(self.fake_outbox)
        assert _sorted(real) == _sorted(fake)
        return real

    def compare(self) -> None:
        """Compare all rows; times may differ by what passes between two statements."""
        with self.engine.connect() as connection:
            rows = list(connection.execute(ROWS))
            discarded = set(connection.execute(sa.text("SELECT id::text FROM outbox_discarded")).scalars())
        fakes = self.fake.outbox
        assert {row.id for row in rows} == set(fakes)
        assert discarded == set(self.fake.tables["outbox_discarded"])
        for row in rows:
            fake = fakes[row.id]
            exact = ("aggregateid", "version", "direct", "attempts", "parked_reason")
            assert {name: getattr(row, name) for name in exact} == {
                name: getattr(fake, name) for name in exact
            }
            for name in ("created_at", "due_at", "parked_at"):
                real_at, fake_at = getattr(row, name), getattr(fake, name)
                assert (real_at is None) == (fake_at is None), name
                assert real_at is None or abs(real_at - fake_at) < TIME_TOLERANCE_S, name


def _sorted(result: Any) -> Any:
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], list):
        return sorted(result[0]), result[1]
    return result


# Far from TIME_TOLERANCE_S, so that a row is due in both or in neither.
DUE = st.sampled_from([-1000.0, -100.0, 1000.0])
AGES = st.sampled_from([100.0, 1000.0, 10_000.0])
NEW_ROW = st.tuples(st.booleans(), AGES, DUE, st.integers(0, 12))


class SameStatements(RuleBasedStateMachine):
    """Random rows, and random statements on them."""

    engine: sa.Engine
    fake: type[Postgres]

    @initialize()
    def begin(self) -> None:
        self.both = Both(self.engine, self.fake)
        self.versions = dict.fromkeys(ORDERS, 0)
        self.ids: list[str] = []

    @rule(order=st.sampled_from(ORDERS), rows=st.lists(NEW_ROW, min_size=1, max_size=3))
    def insert(self, order: UUID, rows: list[tuple[bool, float, float, int]]) -> None:
        for row in rows:
            self.versions[order] += 1
            self.ids.append(self.both.insert(order, self.versions[order], *row))

    @rule()
    def claim(self) -> None:
        self.both.do(lambda outbox: outbox.claim(100))

    @rule(which=st.sets(st.integers(0, 20), min_size=1, max_size=3))
    def delete(self, which: set[int]) -> None:
        if ids := self._some(which):
            self.both.do(lambda outbox: outbox.delete([*ids, str(UUID(int=0))]))

    @rule(which=st.sets(st.integers(0, 20), min_size=1, max_size=3))
    def hold(self, which: set[int]) -> None:
        if ids := self._some(which):
            self.both.do(lambda outbox: outbox.hold(ids, 1))

    @rule(order=st.sampled_from(ORDERS))
    def park_the_first(self, order: UUID) -> None:
        rows = [row for row in self.both.fake.outbox.values() if row.aggregateid == str(order)]
        if rows:
            first = min(rows, key=lambda row: row.version)
            self.both.do(lambda outbox: outbox.park(first.id, "too large"))

    @rule(which=st.integers(0, 20), what=st.sampled_from(["requeue", "discard"]))
    def operate(self, which: int, what: str) -> None:
        parked = sorted(row.id for row in self.both.fake.outbox.values() if row.parked_at is not None)
        candidates = [*parked, *self.ids[:1]]
        if candidates:
            event_id = UUID(candidates[which % len(candidates)])
            self.both.do(lambda outbox: getattr(outbox, what)(event_id))

    @rule()
    def look(self) -> None:
        self.both.do(Outbox.has_due)
        self.both.do(lambda outbox: sorted(str(row.id) for row in outbox.parked()))
        assert _close(
            *(outbox.oldest_unparked() for outbox in (self.both.real_outbox, self.both.fake_outbox))
        )
        real, fake = measure_backlog(self.both.engine), measure_backlog(Engine(self.both.fake, "shop"))  # type: ignore[arg-type]
        assert (real.rows, real.parked, real.oldest_s is None) == (
            fake.rows,
            fake.parked,
            fake.oldest_s is None,
        )
        assert abs((real.oldest_s or 0) - (fake.oldest_s or 0)) < TIME_TOLERANCE_S

    @invariant()
    def same_rows(self) -> None:
        if hasattr(self, "both"):
            self.both.compare()

    def _some(self, which: set[int]) -> list[str]:
        return sorted({self.ids[number % len(self.ids)] for number in which}) if self.ids else []


def _close(real: datetime | None, fake: datetime | None) -> bool:
    """Compare two times; the fake's are counted from EPOCH, and its clock here from 1970."""
    if real is None or fake is None:
        return real is fake
    shown = fake - (EPOCH - datetime(1970, 1, 1, tzinfo=EPOCH.tzinfo))
    return abs(real - shown) < timedelta(seconds=TIME_TOLERANCE_S)


def _compare_statements(engine: sa.Engine, fake: type[Postgres], **options: Any) -> None:
    machine = type("Machine", (SameStatements,), {"engine": engine, "fake": fake})
    bounds = settings(
        max_examples=30, stateful_step_count=20, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck), **options,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=bounds)


def test_fake_outbox_does_what_postgresql_does(relay_engine: sa.Engine) -> None:
    _compare_statements(relay_engine, Postgres)


@pytest.mark.parametrize("wrong", [ClaimsEarliestDue, ClaimsBehindParked, CountsBehindParked, KeepsAge])
def test_fake_outbox_that_takes_another_rule_is_noticed(
    relay_engine: sa.Engine, wrong: type[Postgres]
) -> None:
    with pytest.raises(AssertionError):
        _compare_statements(relay_engine, wrong, phases=[Phase.generate], report_multiple_bugs=False)


# One connection changes or holds a row, and another one runs a statement meanwhile.
HOLDS: dict[str, tuple[str, Callable[[Row], Row | None]]] = {
    "locks": ("SELECT FROM outbox WHERE id = :id FOR UPDATE", lambda row: row),
    "deletes": ("DELETE FROM outbox WHERE id = :id", lambda row: None),
    "leases": (
        "UPDATE outbox SET due_at = due_at + make_interval(secs => 5000), attempts = attempts + 1 WHERE id = :id",
        lambda row: replace(row, due_at=row.due_at + 5000, attempts=row.attempts + 1),
    ),
    "parks": (
        "UPDATE outbox SET parked_at = coalesce(parked_at, now()), parked_reason = 'A' WHERE id = :id",
        lambda row: replace(row, parked_at=row.parked_at or row.created_at + 1000, parked_reason="A"),
    ),
    "requeues": (
        "UPDATE outbox SET parked_at = NULL, parked_reason = NULL WHERE id = :id",
        lambda row: replace(row, parked_at=None, parked_reason=None),
    ),
}
RUNS: dict[str, Callable[[Outbox, str, str], Any]] = {
    "claims": lambda outbox, first, second: outbox.claim(100),
    "deletes both": lambda outbox, first, second: outbox.delete([first, second]),
    "deletes the first": lambda outbox, first, second: outbox.delete([first]),
    "holds both": lambda outbox, first, second: outbox.hold([first, second], 1),
    "parks the first": lambda outbox, first, second: outbox.park(first, "B"),
    "requeues the first": lambda outbox, first, second: outbox.requeue(UUID(first)),
    "discards the first": lambda outbox, first, second: outbox.discard(UUID(first)),
}


@pytest.mark.parametrize("is_parked", [False, True], ids=["unparked", "parked"])
@pytest.mark.parametrize("held", ["first", "second"])
@pytest.mark.parametrize("hold", HOLDS)
def test_fake_statement_that_meets_a_held_row_does_what_postgresql_does(
    relay_engine: sa.Engine, engine: sa.Engine, hold: str, held: str, is_parked: bool
) -> None:
    for run in RUNS:
        for commits in (True, False):
            _compare_meeting(relay_engine, engine, hold, held, is_parked, run, commits)


def _compare_meeting(
    relay_engine: sa.Engine, engine: sa.Engine, hold: str, held: str, is_parked: bool, run: str, commits: bool
) -> None:
    both = Both(relay_engine)
    order, other = uuid4(), uuid4()
    ids = [both.insert(order, 1, False, 1000, -1000, 0), both.insert(order, 2, False, 1000, 1000, 0)]
    both.insert(other, 1, True, 1000, -100, 0)
    if is_parked:
        both.do(lambda outbox: outbox.park(ids[0], "before"))
    key = ids[0] if held == "first" else ids[1]
    sql, change = HOLDS[hold]

    fake = both.fake
    holder = fake.begin("A", 5)
    fake.lock(holder, "outbox", key)
    if (row := change(fake.outbox[key])) is not fake.outbox[key]:
        holder.writes["outbox", key] = row

    def end() -> None:
        if not holder.is_over:
            (fake.commit if commits else fake.rollback)(holder)

    def wait(ready: Callable[[], bool], timeout_s: float, where: str) -> bool:
        end()
        return ready()

    fake._wait = wait
    expected = RUNS[run](both.fake_outbox, *ids)
    end()

    with engine.connect() as connection:
        transaction = connection.begin()
        connection.execute(sa.text(sql), {"id": key})
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(RUNS[run], both.real_outbox, *ids)
            eventually(lambda: running.done() or _is_waiting(relay_engine), every=0.002)
            (transaction.commit if commits else transaction.rollback)()
            found = running.result(10)
    what = f"A {hold} the {held} row, B {run}, A {'commits' if commits else 'rolls back'}"
    assert _sorted(found) == _sorted(expected), what
    both.compare()


def _is_waiting(engine: sa.Engine) -> bool:
    """Return whether a connection to this database waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with engine.connect() as connection:
        return bool(connection.execute(sa.text(waiting)).scalar_one())


DRAFT = OrderDraft.model_validate(
    {"customer_name": "Ada", "item": "Coat", "unit_price": "1.00", "quantity": 1}
)
Transact = Callable[[], AbstractContextManager[Any]]


@pytest.mark.parametrize("is_read_back", [False, True], ids=["row there", "row read back"])
@pytest.mark.parametrize("commits", [False, True], ids=["rolls back", "commits"])
def test_fake_change_that_waits_for_another_does_what_postgresql_does(
    services: Services, outbox: Outbox, is_read_back: bool, commits: bool
) -> None:
    """Two shops change one order: the second one waits, and looks for earlier versions after its wait."""
    fake = Postgres(lambda: 0.0)
    fake_outbox = Outbox(Engine(fake, "relay"))  # type: ignore[arg-type]
    fake_group_commit = GroupCommit(Engine(fake, "shop"), 5)  # type: ignore[arg-type]
    outcomes = [
        _two_changes(
            services.database.transaction, services.group_commit, outbox, None, is_read_back, commits
        ),
        _two_changes(
            lambda: _fake_transaction(fake), fake_group_commit, fake_outbox, fake, is_read_back, commits
        ),
    ]
    assert outcomes[0] == outcomes[1]


@contextmanager
def _fake_transaction(fake: Postgres) -> Iterator[None]:
    transaction = fake.begin("shop", 5)
    try:
        with use_session(FakeSession(fake, transaction)):  # type: ignore[arg-type]
            yield
        fake.commit(transaction)
    finally:
        fake.rollback(transaction)


def _two_changes(
    transact: Transact,
    group_commit: GroupCommit,
    outbox: Outbox,
    fake: Postgres | None,
    is_read_back: bool,
    commits: bool,
) -> tuple[int, str, bool]:
    """Return the version and status that the second change made, and whether it may go directly."""
    placement = Order.place([DRAFT], timedelta(seconds=6))
    (order,), (placed,) = placement.orders, placement.events
    group_commit.store(placement, None, lambda: None)
    if is_read_back:
        outbox.delete([str(placed.id)])
    stack, of_the_first = ExitStack(), copy_context()

    def begin() -> None:
        stack.enter_context(transact())
        first = Order.get_for_update(order.id)
        assert first is not None
        first.move_to(Status.CONFIRMED, timedelta(seconds=6))

    def end() -> None:
        with suppress(Rollback):
            outcome = (None, None, None) if commits else (Rollback, Rollback(), None)
            of_the_first.run(stack.__exit__, *outcome)

    def change() -> tuple[int, str, bool]:
        with transact():
            locked = Order.get_for_update(order.id)
            assert locked is not None
            target = Status.CONFIRMED if locked.status == Status.PLACED else Status.SHIPPED
            event = locked.move_to(target, timedelta(seconds=6))
        return event.version, event.type, event.direct

    of_the_first.run(begin)
    if fake is not None:

        def wait(ready: Callable[[], bool], timeout_s: float, where: str) -> bool:
            end()
            return ready()

        fake._wait = wait
        return change()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(change)
        eventually(lambda: _is_waiting(outbox._engine), every=0.002)
        end()
        return second.result(10)


class Rollback(Exception):
    """Leaves a transaction by an error."""
