"""Group commit on real PostgreSQL: who is stored with whom, and who is told what when it fails."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError

from producer.config import Settings
from producer.domain.database import CommitUnknown
from producer.domain.draft import OrderDraft
from producer.domain.group_commit import GroupCommit, KeyInUse, NotTaken, create_intake_engine
from producer.domain.models import NewOrder, Order, Placement
from producer.domain.stored_response import KeyedResponse
from tests.eventually import eventually
from tests.shop import ORDER

GRACE = timedelta(seconds=6)
Scalar = Callable[[str], Any]


class Intake:
    """A GroupCommit with a count of its statements, and requests that run in threads of their own."""

    def __init__(self, settings: Settings, wait_s: float = 10, timeout_s: float = 5) -> None:
        self.engine = create_intake_engine(settings.sqlalchemy_url, timeout_s)
        self.group_commit = GroupCommit(self.engine, wait_s)
        self.statements = 0
        self.outcomes: list[tuple[Placement, BaseException | None]] = []
        self._threads: list[threading.Thread] = []
        sa.event.listen(self.engine, "before_cursor_execute", self._count)
        self.engine.connect().close()  # preparing the statement would wait for the tests' locks

    def _count(self, connection: Any, cursor: Any, statement: str, *arguments: Any) -> None:
        self.statements += "store_placements" in statement

    def store(
        self,
        placement: Placement,
        response: KeyedResponse | None = None,
        after_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self.group_commit.store(placement, response, after_commit)

    def start(
        self,
        placement: Placement,
        response: KeyedResponse | None = None,
        after_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """Store in a thread, and keep what became of it."""

        def run() -> None:
            try:
                self.store(placement, response, after_commit)
            except BaseException as error:  # noqa: BLE001 - it is what the test asks for
                self.outcomes.append((placement, error))
            else:
                self.outcomes.append((placement, None))

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def waiting(self) -> int:
        return len(self.group_commit._queue)

    def join(self) -> list[BaseException | None]:
        """Wait for all threads; return what they raised."""
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()
        return [error for _, error in self.outcomes]

    def close(self) -> None:
        self.join()
        self.engine.dispose()


@pytest.fixture
def intake(settings: Settings) -> Iterator[Intake]:
    intake = Intake(settings)
    yield intake
    intake.close()


def place(count: int = 1, **changes: Any) -> Placement:
    """Return new orders. changes: of their columns, past every validation."""
    placement = Order.place([OrderDraft.model_validate(ORDER)] * count, GRACE)
    return replace(placement, orders=[order._replace(**changes) for order in placement.orders])


def keyed(key: str, fingerprint: bytes = b"one", expires_in_s: float = 60) -> KeyedResponse:
    expires_at = datetime.now(UTC) + timedelta(seconds=expires_in_s)
    return KeyedResponse(key, fingerprint, 201, "/orders/1", b'{"a":1}', expires_at)


@contextmanager
def locked_orders(engine: sa.Engine) -> Iterator[None]:
    """Hold every statement that stores orders until the end of the block."""
    with engine.begin() as connection:
        connection.execute(sa.text("LOCK TABLE orders IN EXCLUSIVE MODE"))
        yield


def test_group_stores_orders_events_and_response_together(intake: Intake, scalar: Scalar) -> None:
    placement = place(3)
    intake.store(placement, keyed("k1"))
    assert scalar("SELECT count(*) FROM orders") == 3
    assert scalar("SELECT array_agg(id ORDER BY id)::text FROM outbox") == (
        "{" + ",".join(sorted(str(event.id) for event in placement.events)) + "}"
    )
    assert scalar("SELECT bool_and(direct AND due_at > now() + interval '4 s') FROM outbox")
    assert scalar("SELECT bool_and(payload::json->'data'->>'total' = '64.00') FROM outbox")
    assert scalar("SELECT bool_and(total = 64) FROM orders")
    assert scalar("SELECT body FROM idempotency_keys WHERE key = 'k1'").tobytes() == b'{"a":1}'


def test_group_is_what_arrived_during_the_commit_before(
    intake: Intake, engine: sa.Engine, scalar: Scalar
) -> None:
    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        for _ in range(7):
            intake.start(place(2))
        eventually(lambda: intake.waiting() == 7)
    assert intake.join() == [None] * 8
    assert intake.statements == 2
    assert scalar("SELECT count(*) FROM orders") == 15


def test_bad_row_fails_its_own_request_and_no_other(
    intake: Intake, engine: sa.Engine, scalar: Scalar
) -> None:
    bad = place(2, quantity=0)
    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        for placement in (place(), bad, place(3)):
            intake.start(placement)
        eventually(lambda: intake.waiting() == 3)
    intake.join()
    failed = [(placement, error) for placement, error in intake.outcomes if error is not None]
    assert [(placement, type(error)) for placement, error in failed] == [(bad, IntegrityError)]
    assert scalar("SELECT count(*) FROM orders") == 5
    assert scalar("SELECT count(*) FROM outbox") == 5


def test_key_that_was_used_stores_nothing_and_its_neighbours_are_stored(
    intake: Intake, engine: sa.Engine, scalar: Scalar
) -> None:
    intake.store(place(), keyed("used"))
    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 2)
        for key in ("new", "used"):
            intake.start(place(), keyed(key, b"two"))
        eventually(lambda: intake.waiting() == 2)
    (error,) = (error for error in intake.join() if error is not None)
    assert isinstance(error, KeyInUse)
    assert not error.is_running
    assert scalar("SELECT count(*) FROM orders") == scalar("SELECT count(*) FROM outbox") == 3
    assert scalar("SELECT fingerprint FROM idempotency_keys WHERE key = 'used'").tobytes() == b"one"


def test_key_that_is_running_elsewhere_is_told_at_once(
    intake: Intake, engine: sa.Engine, scalar: Scalar
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('busy', 0))"))
        with pytest.raises(KeyInUse) as raised:
            intake.store(place(), keyed("busy"))
    assert raised.value.is_running
    assert scalar("SELECT count(*) FROM orders") == 0


def test_key_that_is_running_in_this_process_is_told_at_once(intake: Intake, engine: sa.Engine) -> None:
    with locked_orders(engine):
        intake.start(place(), keyed("busy"))
        eventually(lambda: intake.statements == 1)
        with pytest.raises(KeyInUse) as raised:
            intake.store(place(), keyed("busy"))
    assert raised.value.is_running
    assert intake.join() == [None]
    with pytest.raises(KeyInUse):
        intake.store(place(), keyed("busy"))


def test_key_that_has_expired_is_replaced(intake: Intake, scalar: Scalar) -> None:
    intake.store(place(), keyed("old", expires_in_s=-1))
    intake.store(place(), keyed("old", b"two"))
    assert scalar("SELECT count(*) FROM orders") == 2
    assert scalar("SELECT fingerprint FROM idempotency_keys WHERE key = 'old'").tobytes() == b"two"


def kill_connections_of(intake: Intake, engine: sa.Engine) -> None:
    """End the server process of the group commit, whether it runs a statement or is at rest."""
    killed = sa.text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE query LIKE '%EXECUTE store_placements%' AND pid <> pg_backend_pid()"
    )

    def kill() -> bool:
        with engine.begin() as connection:
            return bool(connection.execute(killed).scalar_one())

    eventually(kill)


def test_lost_connection_leaves_the_whole_group_unknown_and_the_next_goes_on(
    intake: Intake, engine: sa.Engine, scalar: Scalar
) -> None:
    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        kill_connections_of(intake, engine)
        assert [type(error) for error in intake.join()] == [CommitUnknown]
    intake.store(place())
    assert scalar("SELECT count(*) FROM orders") == 1


def test_connection_that_was_closed_at_rest_costs_no_request(
    intake: Intake, engine: sa.Engine, scalar: Scalar
) -> None:
    intake.store(place())
    kill_connections_of(intake, engine)
    eventually(
        lambda: (
            scalar("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%EXECUTE store_placements%'") <= 1
        )
    )
    intake.store(place())
    assert scalar("SELECT count(*) FROM orders") == 2


def test_statement_that_is_refused_stored_nothing(settings: Settings, engine: sa.Engine) -> None:
    """A timeout is an answer: nobody need wonder whether it was stored."""
    intake = Intake(settings, timeout_s=0.3)
    with locked_orders(engine), pytest.raises(OperationalError):
        intake.store(place())
    intake.close()


def test_request_that_waits_too_long_for_its_group_stores_nothing(
    settings: Settings, engine: sa.Engine, scalar: Scalar
) -> None:
    intake = Intake(settings, wait_s=0.2)
    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        with pytest.raises(NotTaken):
            intake.store(place(5), keyed("late"))
    assert intake.join() == [None]
    intake.store(place(), keyed("late"))
    assert scalar("SELECT count(*) FROM orders") == 2
    intake.close()


class LeaderKilled(BaseException):
    """What may end a thread at any line: SystemExit, or running out of memory."""


@pytest.mark.parametrize("step", ["_take", "_execute", "_store_group"])
@pytest.mark.parametrize("error", [LeaderKilled(), MemoryError()])
def test_group_of_a_leader_that_dies_is_answered_and_another_request_leads(
    intake: Intake,
    engine: sa.Engine,
    scalar: Scalar,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: BaseException,
) -> None:
    def die(*arguments: Any) -> None:
        monkeypatch.undo()
        raise error

    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        for number in range(4):
            intake.start(place(), keyed(str(number)))
        eventually(lambda: intake.waiting() == 4)
        monkeypatch.setattr(intake.group_commit, step, die)
    stored = [type(each) for each in intake.join()].count(type(None))
    assert scalar("SELECT count(*) FROM orders") == scalar("SELECT count(*) FROM outbox") == stored
    intake.store(place())


def test_group_of_a_leader_that_dies_after_the_commit_is_told_that_it_may_have_been_stored(
    intake: Intake, engine: sa.Engine, scalar: Scalar
) -> None:
    def die() -> None:
        raise LeaderKilled

    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        intake.start(place(), after_commit=die)
        eventually(lambda: intake.waiting() == 1)
        intake.start(place())
        eventually(lambda: intake.waiting() == 2)
    assert {type(error) for error in intake.join()} == {type(None), LeaderKilled, CommitUnknown}
    assert scalar("SELECT count(*) FROM orders") == 3


def test_requests_of_a_broken_group_do_not_wait_for_a_frozen_database_in_turn(
    settings: Settings, engine: sa.Engine, scalar: Scalar
) -> None:
    """The group is stored one by one for its bad row, and from the second statement on the database hangs."""
    intake = Intake(settings, timeout_s=0.5)
    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        intake.start(place(quantity=0))
        eventually(lambda: intake.waiting() == 1)
        for _ in range(7):
            intake.start(place())
        eventually(lambda: intake.waiting() == 8)
        holder = engine.connect()

        def hang(*arguments: Any) -> None:
            if intake.statements == 4:
                holder.execute(sa.text("LOCK TABLE orders IN EXCLUSIVE MODE"))

        sa.event.listen(intake.engine, "before_cursor_execute", hang)
    errors = intake.join()
    holder.close()
    assert intake.statements == 4
    assert [type(error) for error in errors].count(NotTaken) == 6
    assert scalar("SELECT count(*) FROM orders") == 1
    intake.close()


def test_large_placements_are_parted_into_groups(
    settings: Settings, engine: sa.Engine, scalar: Scalar
) -> None:
    intake = Intake(settings)
    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        for _ in range(3):
            intake.start(place(1000))
        eventually(lambda: intake.waiting() == 3)
    assert intake.join() == [None] * 4
    assert intake.statements == 3
    assert scalar("SELECT count(*) FROM orders") == 3001
    intake.close()


def test_failure_after_the_commit_is_no_failure_of_the_request(intake: Intake, scalar: Scalar) -> None:
    def fail() -> None:
        raise RuntimeError("publish")

    intake.group_commit.store(place(), None, fail)
    intake.store(place())
    assert scalar("SELECT count(*) FROM orders") == 2


def test_many_requests_at_once_are_each_stored_once(intake: Intake, scalar: Scalar) -> None:
    for number in range(200):
        intake.start(place(), keyed(f"k{number % 150}"))
    errors = intake.join()
    stored = errors.count(None)
    assert stored == 150
    assert all(isinstance(error, KeyInUse) for error in errors if error is not None)
    # How many of them share a statement depends on how busy the machine is; the tests above hold the leader for that.
    assert scalar("SELECT count(*) FROM orders") == stored


NASTY = [
    "", '"', "\\", '\\"', "'", "''", "{", "}", "{}", ",", "a,b", "NULL", "null",
    "\n", "\r\n\t", " ", "  x  ", "%s", "%%", "$1",
    "\\x41", "\\N", "\u2028", "\x01\x7f", "Zoë Ж 漢字 🦀", "(a)", "x" * 100_000,
]  # fmt: skip


def nasty_group() -> list[tuple[Placement, KeyedResponse | None]]:
    """Return placements with every nasty text in every column, keyed ones and batches among them."""
    group: list[tuple[Placement, KeyedResponse | None]] = []
    for number, text in enumerate(NASTY):
        placement = place(
            1 + number % 3,
            customer_name=text[:100] or "-",
            item=(text + text[::-1])[:200] or "-",
            description=text[:1000],
        )
        events = [replace(event, payload=text + event.payload) for event in placement.events]
        response = None
        if number % 2:
            body = text.encode() + bytes(range(256))
            location = None if number % 4 == 1 else text
            expires_at = datetime.now(UTC) + timedelta(days=1)
            response = KeyedResponse(f"{number}{text[:500]}", body[:32], 201, location, body, expires_at)
        group.append((replace(placement, events=events), response))
    return group


def test_group_is_stored_exactly_whatever_its_texts(intake: Intake, engine: sa.Engine) -> None:
    group = nasty_group()
    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        for placement, response in group:
            intake.start(placement, response)
        eventually(lambda: intake.waiting() == len(group))
    assert intake.join() == [None] * (len(group) + 1)
    assert intake.statements == 2
    names = ", ".join(NewOrder._fields)
    with engine.begin() as connection:
        orders = {row[0]: tuple(row) for row in connection.execute(sa.text(f"SELECT {names} FROM orders"))}
        events = {row[0]: row[1] for row in connection.execute(sa.text("SELECT id, payload FROM outbox"))}
        keys = {row[0]: row for row in connection.execute(sa.text("SELECT * FROM idempotency_keys"))}
    for placement, response in group:
        for order, event in zip(placement.orders, placement.events, strict=True):
            assert orders[order.id] == tuple(order)
            assert events[event.id] == event.payload
        if response is not None:
            stored = keys[response.key]
            assert (stored.location, stored.status) == (response.location, response.status)
            assert stored.expires_at == response.expires_at
            assert stored.body.tobytes() == response.body
            assert stored.fingerprint.tobytes() == response.fingerprint


@pytest.mark.parametrize(
    ("column", "value", "error"),
    [
        ("item", "a\0b", ValueError),
        ("item", "\ud800", ValueError),
        ("quantity", 1 << 31, DataError),
        ("unit_price", Decimal("1e10"), DataError),
        ("unit_price", Decimal("NaN"), SQLAlchemyError),
        ("created_at", datetime.max.replace(tzinfo=UTC), None),
    ],
)
def test_value_that_no_column_holds_fails_its_own_request_and_no_other(
    intake: Intake, engine: sa.Engine, scalar: Scalar, column: str, value: Any, error: type[Exception] | None
) -> None:
    bad = place(1, **{column: value})
    with locked_orders(engine):
        intake.start(place())
        eventually(lambda: intake.statements == 1)
        for placement in (place(), bad, place(2)):
            intake.start(placement)
        eventually(lambda: intake.waiting() == 3)
    intake.join()
    told = {id(placement): outcome for placement, outcome in intake.outcomes}
    mine = told.pop(id(bad))
    assert isinstance(mine, error) if error else mine is None
    assert set(told.values()) == {None}
    assert scalar("SELECT count(*) FROM orders") == 4 + (error is None)


def test_statement_that_the_server_has_forgotten_is_prepared_again(
    intake: Intake, engine: sa.Engine, scalar: Scalar
) -> None:
    """As after DISCARD ALL. Nothing was stored, so the request may be told that."""
    intake.store(place())
    with intake.engine.connect() as connection:
        connection.exec_driver_sql("DEALLOCATE ALL")
    with pytest.raises(OperationalError):
        intake.store(place())
    intake.store(place())
    assert scalar("SELECT count(*) FROM orders") == 2


def test_statement_outlives_a_migration(intake: Intake, engine: sa.Engine, scalar: Scalar) -> None:
    for _ in range(7):  # from the sixth on, the server may keep one plan for all
        intake.store(place())
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE orders ADD COLUMN city text NOT NULL DEFAULT 'unknown'"))
            connection.execute(sa.text("DROP INDEX orders_status_id"))
        intake.store(place())
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE orders DROP COLUMN city"))
            connection.execute(sa.text("CREATE INDEX orders_status_id ON orders (status, id)"))
    intake.store(place())
    assert scalar("SELECT count(*) FROM orders") == 9
