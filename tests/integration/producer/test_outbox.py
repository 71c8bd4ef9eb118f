import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from producer.relay.outbox import CLAIM, Lease, Outbox
from tests.eventually import eventually

Put = Callable[..., UUID]


@pytest.fixture
def put(engine: sa.Engine) -> Put:
    """Stores one outbox row; due: seconds from now."""

    def put(order: UUID, version: int = 1, due: float = -1, direct: bool = False, attempts: int = 0) -> UUID:
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

    return put


def claimed(outbox: Outbox, limit: int = 100) -> set[UUID]:
    return {UUID(event.id) for event in outbox.claim(limit)[0]}


def test_due_rows_are_claimed_once(outbox: Outbox, put: Put) -> None:
    due, later = put(uuid4()), put(uuid4(), due=60)
    assert claimed(outbox) == {due}
    assert claimed(outbox) == set()
    assert later not in claimed(outbox)


def test_a_lease_ends_and_the_next_is_longer(engine: sa.Engine, relay_engine: sa.Engine, put: Put) -> None:
    outbox, row = Outbox(relay_engine, Lease(first_s=0.2, longest_s=60)), put(uuid4())
    assert claimed(outbox) == {row}
    eventually(lambda: claimed(outbox) == {row}, every=0.02)
    with engine.begin() as connection:
        left, attempts = connection.execute(
            sa.text("SELECT extract(epoch FROM due_at - clock_timestamp()), attempts FROM outbox")
        ).one()
    assert attempts == 2
    assert left > 0.2


@pytest.mark.parametrize("first", ["due", "in grace", "leased", "parked", "locked"])
def test_only_the_earliest_row_of_an_order_is_claimed(
    outbox: Outbox, put: Put, engine: sa.Engine, first: str
) -> None:
    """Whatever state the earlier row is in: while it is in the outbox the later one stays."""
    order, other = uuid4(), uuid4()
    earliest = put(order, 1, due=-1 if first in ("due", "locked") else 60, attempts=int(first == "leased"))
    put(order, 2)
    free = put(other)
    if first == "parked":
        outbox.park(earliest, "test")
    with engine.begin() as connection:
        if first == "locked":
            connection.execute(sa.text("SELECT FROM outbox WHERE id = :id FOR UPDATE"), {"id": earliest})
        assert claimed(outbox) == ({earliest, free} if first == "due" else {free})


def test_a_row_behind_another_is_looked_at_again_later(outbox: Outbox, put: Put) -> None:
    order = uuid4()
    put(order, 1, due=60)
    put(order, 2)
    assert outbox.claim(100) == ([], 1)
    assert outbox.claim(100) == ([], 0)


def test_the_successor_is_due_as_soon_as_its_predecessor_is_gone(outbox: Outbox, put: Put) -> None:
    order = uuid4()
    first, second, third = (put(order, version) for version in (1, 2, 3))
    assert claimed(outbox) == {first}
    assert outbox.delete([str(first)]) == 1
    assert claimed(outbox) == {second}
    assert outbox.delete([str(second)]) == 1
    assert claimed(outbox) == {third}


def test_a_successor_in_other_hands_is_left_there(outbox: Outbox, put: Put) -> None:
    """An app publishes the one, another relay has claimed the other: to make them due would repeat both."""
    one, other = uuid4(), uuid4()
    gone = [put(one, 1), put(other, 1)]
    put(one, 2, due=60, direct=True)
    put(other, 2, due=60, attempts=1)
    assert outbox.delete([str(row) for row in gone]) == 0
    assert not outbox.has_due()


def test_removing_twice_or_what_was_never_there_is_nothing(outbox: Outbox, put: Put) -> None:
    row = put(uuid4())
    assert outbox.delete([str(uuid4())]) == 0
    outbox.delete([str(row), str(row)])
    outbox.delete([str(row)])
    assert not outbox.has_due()


def test_two_relays_never_claim_the_same_row(relay_engine: sa.Engine, put: Put) -> None:
    rows = {put(uuid4()) for _ in range(200)}
    taken: list[set[UUID]] = []
    start = threading.Barrier(4)

    def work() -> None:
        outbox = Outbox(relay_engine)
        start.wait(10)
        while got := claimed(outbox, 7):
            taken.append(got)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(map(len, taken)) == len(rows)
    assert set.union(*taken) == rows


def test_two_relays_that_remove_the_same_rows_do_not_deadlock(relay_engine: sa.Engine, put: Put) -> None:
    rows = [str(put(uuid4())) for _ in range(300)]
    with ThreadPoolExecutor() as pool:
        orders = (rows, rows[::-1], sorted(rows))
        for removal in [pool.submit(Outbox(relay_engine).delete, order) for order in orders]:
            removal.result(30)
    assert not Outbox(relay_engine).has_due()


def test_a_parked_row_is_not_claimed(outbox: Outbox, put: Put) -> None:
    row = put(uuid4())
    outbox.park(row, "too large")
    assert claimed(outbox) == set()
    assert outbox.oldest_unparked() is None


def test_a_requeued_row_is_offered_again(outbox: Outbox, put: Put) -> None:
    row = put(uuid4(), attempts=7)
    outbox.park(row, "too large")
    assert [parked.id for parked in outbox.parked()] == [row]
    assert outbox.requeue(row)
    assert claimed(outbox) == {row}
    assert outbox.parked() == []


def test_a_discarded_row_is_on_record_and_later_ones_flow(
    outbox: Outbox, put: Put, engine: sa.Engine
) -> None:
    order = uuid4()
    refused, waiting = put(order, 1), put(order, 2)
    outbox.park(refused, "too large")
    assert claimed(outbox) == set()
    assert outbox.discard(refused)
    assert claimed(outbox) == {waiting}
    with engine.begin() as connection:
        record = connection.execute(sa.text("SELECT * FROM outbox_discarded")).one()
    assert (record.id, record.aggregateid, record.version, record.parked_reason) == (
        refused,
        order,
        1,
        "too large",
    )


def test_only_what_is_parked_can_be_requeued_or_discarded(outbox: Outbox, put: Put) -> None:
    row = put(uuid4())
    for event_id in (row, uuid4()):
        assert not outbox.requeue(event_id)
        assert not outbox.discard(event_id)
    assert claimed(outbox) == {row}


def test_a_pass_over_many_blocked_rows_uses_the_index(engine: sa.Engine) -> None:
    """due_at must be compared with a stable clock: a volatile one would read the whole table each time."""
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


def test_held_row_is_offered_again_after_ever_longer_pauses(
    outbox: Outbox, put: Put, engine: sa.Engine
) -> None:
    row, pauses = put(uuid4()), []
    for _ in range(4):
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE outbox SET due_at = now() - interval '1 s'"))
        assert claimed(outbox) == {row}
        outbox.hold([str(row)])
        with engine.begin() as connection:
            pauses.append(
                connection.execute(
                    sa.text("SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM outbox")
                ).scalar_one()
            )
    assert pauses == [pytest.approx(seconds, abs=0.5) for seconds in (1, 2, 4, 8)]


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
