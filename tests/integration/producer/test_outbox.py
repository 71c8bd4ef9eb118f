"""The outbox as the relay uses it, on a real PostgreSQL."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from producer.relay.outbox import CLAIM, Lease, Outbox
from tests.eventually import eventually
from tests.integration.producer.conftest import Scalar


class PutRow(Protocol):
    """The `put_row` fixture. due: seconds from now."""

    def __call__(
        self, order: UUID, version: int = 1, due: float = -1, direct: bool = False, attempts: int = 0
    ) -> UUID: ...


@pytest.fixture
def put_row(engine: sa.Engine) -> PutRow:
    """Store one outbox row and return its id."""

    def put_row(
        order: UUID, version: int = 1, due: float = -1, direct: bool = False, attempts: int = 0
    ) -> UUID:
        event_id = uuid4()
        insert = sa.text(
            "INSERT INTO outbox"
            " (id, aggregatetype, aggregateid, type, payload, version, direct, due_at, attempts)"
            " VALUES (:id, 'order', :order, 'order.placed', '{}', :version, :direct,"
            " clock_timestamp() + make_interval(secs => :due), :attempts)"
        )
        with engine.begin() as connection:
            connection.execute(
                insert,
                {
                    "id": event_id, "order": order, "version": version,
                    "direct": direct, "due": due, "attempts": attempts,
                },
            )  # fmt: skip
        return event_id

    return put_row


def claim(outbox: Outbox, limit: int = 100) -> set[UUID]:
    """Claim up to `limit` rows and return their ids."""
    return {UUID(event.id) for event in outbox.claim(limit)[0]}


def test_outbox_claim_takes_due_rows_once(outbox: Outbox, put_row: PutRow) -> None:
    due, later = put_row(uuid4()), put_row(uuid4(), due=60)
    assert claim(outbox) == {due}
    assert claim(outbox) == set()
    assert later not in claim(outbox)


def test_outbox_lease_ends_and_the_next_lease_is_longer(
    engine: sa.Engine, relay_engine: sa.Engine, put_row: PutRow
) -> None:
    outbox, row = Outbox(relay_engine, Lease(first_s=0.2, longest_s=60)), put_row(uuid4())
    assert claim(outbox) == {row}
    eventually(lambda: claim(outbox) == {row}, every=0.02)
    with engine.begin() as connection:
        left, attempts = connection.execute(
            sa.text("SELECT extract(epoch FROM due_at - clock_timestamp()), attempts FROM outbox")
        ).one()
    assert attempts == 2
    assert left > 0.2


def test_outbox_lease_is_never_longer_than_the_longest(
    relay_engine: sa.Engine, engine: sa.Engine, put_row: PutRow
) -> None:
    """After an outage of hours, too, an event is tried again within a minute."""
    row = put_row(uuid4(), attempts=1000)
    assert claim(Outbox(relay_engine)) == {row}
    with engine.begin() as connection:
        left = sa.text("SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM outbox")
        assert connection.execute(left).scalar_one() == pytest.approx(60, abs=1)


@pytest.mark.parametrize("first", ["due", "in grace", "leased", "parked", "locked"])
def test_outbox_claim_takes_only_the_earliest_row_of_an_order(
    outbox: Outbox, put_row: PutRow, engine: sa.Engine, first: str
) -> None:
    """A later row is never claimed while an earlier one is in the outbox, whatever the state of that one."""
    order, other = uuid4(), uuid4()
    earliest = put_row(
        order, 1, due=-1 if first in ("due", "locked") else 60, attempts=int(first == "leased")
    )
    put_row(order, 2)
    free = put_row(other)
    if first == "parked":
        outbox.park(earliest, "test")
    with engine.begin() as connection:
        if first == "locked":
            connection.execute(sa.text("SELECT FROM outbox WHERE id = :id FOR UPDATE"), {"id": earliest})
        assert claim(outbox) == ({earliest, free} if first == "due" else {free})


def test_outbox_claim_postpones_a_blocked_row(outbox: Outbox, put_row: PutRow) -> None:
    order = uuid4()
    put_row(order, 1, due=60)
    put_row(order, 2)
    assert outbox.claim(100) == ([], 1)
    assert outbox.claim(100) == ([], 0)


def test_outbox_delete_makes_the_successor_due(outbox: Outbox, put_row: PutRow) -> None:
    order = uuid4()
    first, second, third = (put_row(order, version) for version in (1, 2, 3))
    assert claim(outbox) == {first}
    assert outbox.delete([str(first)]) == 1
    assert claim(outbox) == {second}
    assert outbox.delete([str(second)]) == 1
    assert claim(outbox) == {third}


@pytest.fixture
def slow_updates(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Hold every update of an outbox row, at its first row, until this connection's transaction ends."""
    function = (
        "CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END$$"
    )
    trigger = "CREATE TRIGGER slow BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION wait_here()"
    with engine.begin() as connection:
        connection.exec_driver_sql(function)
        connection.exec_driver_sql(trigger)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4711)")
        yield connection
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER slow ON outbox")
        connection.exec_driver_sql("DROP FUNCTION wait_here")


def test_outbox_claim_does_not_keep_a_row_from_its_release(
    outbox: Outbox, put_row: PutRow, slow_updates: sa.Connection, scalar: Scalar
) -> None:
    """The release passes over a row that is being claimed, and the claim has not seen the deletion."""
    order = uuid4()
    first, second = put_row(order, 1, due=60), put_row(order, 2)
    with ThreadPoolExecutor(1) as pool:
        claimed = pool.submit(outbox.claim, 100)
        eventually(
            lambda: scalar("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        )
        assert outbox.delete([str(first)]) == 0
        slow_updates.rollback()
        assert claimed.result(10) == ([], 1)
    assert claim(outbox) == {second}


def test_outbox_delete_leaves_direct_and_claimed_successors_alone(outbox: Outbox, put_row: PutRow) -> None:
    """A web process publishes the direct one and another relay has claimed the other: if due, both would repeat."""
    one, other = uuid4(), uuid4()
    deleted = [put_row(one, 1), put_row(other, 1)]
    put_row(one, 2, due=60, direct=True)
    put_row(other, 2, due=60, attempts=1)
    assert outbox.delete([str(row) for row in deleted]) == 0
    assert not outbox.has_due()


def test_outbox_delete_ignores_rows_that_do_not_exist(outbox: Outbox, put_row: PutRow) -> None:
    row = put_row(uuid4())
    assert outbox.delete([str(uuid4())]) == 0
    outbox.delete([str(row), str(row)])
    outbox.delete([str(row)])
    assert not outbox.has_due()


def test_concurrent_outbox_claims_never_take_the_same_row(relay_engine: sa.Engine, put_row: PutRow) -> None:
    rows = {put_row(uuid4()) for _ in range(200)}
    batches: list[set[UUID]] = []
    start = threading.Barrier(4)

    def claim_all() -> None:
        outbox = Outbox(relay_engine)
        start.wait(10)
        while batch := claim(outbox, 7):
            batches.append(batch)

    threads = [threading.Thread(target=claim_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(map(len, batches)) == len(rows)
    assert set.union(*batches) == rows


def test_outbox_delete_locks_rows_in_the_order_of_their_ids(
    outbox: Outbox, engine: sa.Engine, relay_engine: sa.Engine, put_row: PutRow
) -> None:
    """Two relays that delete the same rows may wait for each other, but not in a circle."""

    def read_the_table(connection: sa.Connection) -> None:
        """Let the plan be the one whose order is not that of the ids: by the index it would be by itself."""
        for way in ("indexscan", "bitmapscan", "indexonlyscan"):
            connection.exec_driver_sql(f"SET enable_{way} = off")

    sa.event.listen(relay_engine, "begin", read_the_table)
    first, second, third = sorted(put_row(uuid4()) for _ in range(3))
    touch = sa.text("UPDATE outbox SET attempts = attempts WHERE id = :id")
    waits = sa.text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
    )
    free = sa.text("SELECT id FROM outbox FOR UPDATE SKIP LOCKED")
    with engine.begin() as connection:
        for row in (third, second, first):  # in the table they stand in the opposite order
            connection.execute(touch, {"id": row})
    with engine.connect() as holder, engine.connect() as observer, ThreadPoolExecutor(1) as pool:
        holder.execute(sa.text("SELECT FROM outbox WHERE id = :id FOR UPDATE"), {"id": second})
        deletion = pool.submit(outbox.delete, [str(row) for row in (third, first, second)])
        eventually(lambda: observer.execute(waits).scalar_one())
        assert observer.execute(free).scalars().all() == [third]
        observer.rollback()
        holder.rollback()
        deletion.result(10)
    assert not outbox.has_due()


def test_outbox_claim_skips_a_parked_row(outbox: Outbox, put_row: PutRow) -> None:
    row = put_row(uuid4())
    outbox.park(row, "too large")
    assert claim(outbox) == set()
    assert outbox.oldest_unparked() is None


def test_requeued_row_is_claimed_again(outbox: Outbox, put_row: PutRow) -> None:
    row = put_row(uuid4(), attempts=7)
    outbox.park(row, "too large")
    assert [parked.id for parked in outbox.parked()] == [row]
    assert outbox.requeue(row)
    assert claim(outbox) == {row}
    assert outbox.parked() == []


def test_discarded_row_is_recorded_and_its_successor_is_claimed(
    outbox: Outbox, put_row: PutRow, engine: sa.Engine
) -> None:
    order = uuid4()
    refused, waiting = put_row(order, 1), put_row(order, 2)
    outbox.park(refused, "too large")
    assert claim(outbox) == set()
    assert outbox.discard(refused)
    assert claim(outbox) == {waiting}
    with engine.begin() as connection:
        record = connection.execute(sa.text("SELECT * FROM outbox_discarded")).one()
    assert (record.id, record.aggregateid, record.version, record.parked_reason) == (
        refused,
        order,
        1,
        "too large",
    )


def test_only_parked_rows_can_be_requeued_or_discarded(outbox: Outbox, put_row: PutRow) -> None:
    row = put_row(uuid4())
    for event_id in (row, uuid4()):
        assert not outbox.requeue(event_id)
        assert not outbox.discard(event_id)
    assert claim(outbox) == {row}


def test_outbox_claim_uses_the_due_at_index(engine: sa.Engine) -> None:
    """due_at must be compared with a stable function: with a volatile one, each claim would read the whole table."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)"
                " SELECT gen_random_uuid(), 'order', gen_random_uuid(), 'order.placed', '{}', 1, false,"
                " now() + interval '1 hour' FROM generate_series(1, 20000)"
            )
        )
        connection.execute(sa.text("ANALYZE outbox"))
        plan = connection.execute(
            sa.text(f"EXPLAIN {CLAIM.text}"), {"limit": 1000, "first_s": 10, "longest_s": 60}
        ).scalars()
        assert any("outbox_due_at" in line for line in plan)


def test_held_row_was_not_attempted_and_a_row_to_retry_was(
    outbox: Outbox, put_row: PutRow, engine: sa.Engine
) -> None:
    held, retried = put_row(uuid4()), put_row(uuid4(), attempts=3)
    assert claim(outbox) == {held, retried}
    outbox.hold([str(held)], 30)
    outbox.retry([str(retried)], 2)
    due = "SELECT id, attempts, extract(epoch FROM due_at - clock_timestamp())::float8 FROM outbox"
    with engine.begin() as connection:
        rows = {row.id: tuple(row)[1:] for row in connection.execute(sa.text(due))}
    assert rows == {held: (0, pytest.approx(30, abs=0.5)), retried: (4, pytest.approx(2, abs=0.5))}


def test_blocked_row_is_left_alone_for_longer_when_the_earlier_one_is_not_due_for_long(
    outbox: Outbox, put_row: PutRow, engine: sa.Engine
) -> None:
    """Or a backlog behind a partition that is away would be written anew each second."""
    order = uuid4()
    put_row(order, version=1, due=40)
    blocked = put_row(order, version=2)
    assert claim(outbox) == set()
    due = "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM outbox WHERE id = :id"
    with engine.begin() as connection:
        wait_s = connection.execute(sa.text(due), {"id": blocked}).scalar_one()
    assert wait_s == pytest.approx(10, abs=0.5)


def test_rows_dated_too_far_ahead_are_due_at_once_and_their_age_begins(
    outbox: Outbox, put_row: PutRow, engine: sa.Engine
) -> None:
    """As after the clock was set back by an hour."""
    order = uuid4()
    first, second = put_row(order, version=1, due=3600), put_row(order, version=2, due=3600)
    leased, parked = put_row(uuid4(), due=Lease.longest_s), put_row(uuid4(), due=3600)
    outbox.park(parked, "too large")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE outbox SET created_at = now() + interval '1 h'"))
    assert [outbox.pull_in(1) for _ in range(3)] == [1, 1, 0]
    assert claim(outbox) == {first}
    with engine.begin() as connection:
        future = sa.text("SELECT id FROM outbox WHERE created_at > clock_timestamp()")
        assert set(connection.execute(future).scalars()) == {leased, parked}
    outbox.delete([str(first)])
    assert claim(outbox) == {second}


def test_expired_keys_are_deleted_a_limited_number_at_a_time(outbox: Outbox, engine: sa.Engine) -> None:
    keys = (
        "INSERT INTO idempotency_keys SELECT 'old' || n, ''::bytea, 201, NULL, ''::bytea, now() - interval '1 s'"
        " FROM generate_series(1, 5) AS n"
        " UNION ALL SELECT 'new', ''::bytea, 201, NULL, ''::bytea, now() + interval '1 h'"
    )
    with engine.begin() as connection:
        connection.execute(sa.text(keys))
    assert [outbox.delete_expired_keys(3) for _ in range(3)] == [3, 2, 0]
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT key FROM idempotency_keys")).scalars().all() == ["new"]


def test_claim_judges_many_blocked_rows_by_the_index_of_versions(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)"
                " SELECT gen_random_uuid(), 'order', gen_random_uuid(), 'order.placed', '{}', 1, false,"
                " now() - interval '1 s' FROM generate_series(1, 20000)"
            )
        )
        connection.execute(sa.text("ANALYZE outbox"))
        plan = connection.execute(
            sa.text(f"EXPLAIN {CLAIM.text}"), {"limit": 1000, "first_s": 10, "longest_s": 60}
        ).scalars().all()  # fmt: skip
        assert any("outbox_aggregateid_version" in line for line in plan)
