"""Produce, consume, validate: whatever happens to instances, the read models say what the orders do."""

import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.eventually import eventually
from tests.integration.projector.conftest import (
    PARTITIONS,
    READY_S,
    Execute,
    Instance,
    Scalar,
    StartInstance,
    Topic,
)
from tests.order_events import FIRST, PATHS, Sums, Told, sums
from tests.projected import Query, differences

pytestmark = pytest.mark.timeout(600)

COUNTED = "SELECT coalesce(sum(events), 0) FROM projection.positions"
NAMES = ("one", "two", "three")
# Small batches, so that a kill falls in the middle of one; a backlog, so that there is always one.
BATCH, BACKLOG, BETWEEN = 10, 6000, 400
KILLS = 10
AT_ONCE, PAUSE_S = 20, 0.1

PLACE = sa.text(
    "INSERT INTO orders (id, customer_name, item, description, unit_price, quantity, status, version,"
    " created_at, updated_at) VALUES (:id, 'Ada', :item, '', :unit_price, :quantity, 'placed', 1, now(), now())"
)
CHANGE = sa.text("UPDATE orders SET status = :status, version = :version, updated_at = now() WHERE id = :id")


class Sales:
    """Stores orders and their changes in the table, and tells of each on the topic, as the producer does.

    told: all events so far.
    """

    def __init__(self, engine: sa.Engine, topic: Topic, seed: int) -> None:
        self._engine, self._topic, self._rand = engine, topic, random.Random(seed)
        self._open: list[tuple[Told, tuple[str, ...]]] = []
        self.told: list[Told] = []

    def sell(self, count: int) -> None:
        """Place and change so many orders in one transaction, then tell."""
        told = [self._next() for _ in range(count)]
        with self._engine.connect() as connection, connection.begin():
            for each in told:
                connection.execute(*_statement(each))
        self._topic.put(told)
        self.told += told

    def _next(self) -> Told:
        if self._open and self._rand.random() < 0.5:
            told, (status, *rest) = self._open.pop(self._rand.randrange(len(self._open)))
            told = replace(told, version=told.version + 1, status=status)
        else:
            quantity, rest = self._rand.randrange(1, 5), [*self._rand.choice(PATHS)[1:]]
            told = Told(
                UUID(int=self._rand.getrandbits(128)),
                item=f"Item {self._rand.randrange(5)}",
                quantity=quantity,
                total=Decimal(self._rand.randrange(1, 10_000)) / 100 * quantity,
                time=FIRST,
            )
        if rest:
            self._open.append((told, tuple(rest)))
        return told

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Sell all the while."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(PAUSE_S):
                self.sell(AT_ONCE)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)


def _statement(told: Told) -> tuple[sa.TextClause, dict[str, Any]]:
    if told.version > 1:
        return CHANGE, {"id": told.order_id, "status": told.status, "version": told.version}
    price = told.total / told.quantity
    return PLACE, {"id": told.order_id, "item": told.item, "unit_price": price, "quantity": told.quantity}


@pytest.fixture
def sales(projection_engine: sa.Engine, topic: Topic, execute: Execute) -> Sales:
    execute("TRUNCATE orders")
    engine = projection_engine.execution_options(isolation_level="READ COMMITTED")
    return Sales(engine, topic, seed=17)


@pytest.fixture
def query(projection_engine: sa.Engine) -> Query:
    def run(statement: str) -> list[tuple[Any, ...]]:
        with projection_engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    return run


def test_three_instances_killed_and_frozen_at_random_under_load(
    topic: Topic,
    start_instance: StartInstance,
    sales: Sales,
    scalar: Scalar,
    query: Query,
    stored_sums: Callable[[], Sums],
) -> None:
    rand = random.Random(17)
    sales.sell(BACKLOG)
    instances = [start_instance(name, projector_batch=BATCH) for name in NAMES]
    with sales.going_on():
        zombie = rand.choice(instances)
        for number in range(KILLS):
            at = scalar(COUNTED)
            eventually(lambda at=at: scalar(COUNTED) > at + BETWEEN, READY_S, every=0.01)  # type: ignore[misc]
            if number == KILLS // 3:
                zombie.signal(signal.SIGSTOP)
            elif number == KILLS - 2:
                others = [each for each in instances if each is not zombie]
                eventually(lambda others=others: _share(others), READY_S)  # type: ignore[misc]
                zombie.signal(signal.SIGCONT)
            else:
                frozen = KILLS // 3 < number < KILLS - 2
                victim = rand.choice([each for each in instances if each is not zombie or not frozen])
                victim.kill()
                victim.spawn()
    eventually(lambda: scalar(COUNTED) == len(sales.told), READY_S)
    assert differences(query) == []
    assert stored_sums() == sums(sales.told)
    eventually(lambda: _share(instances), READY_S)
    assert not any(each.checks["dead_letters"]["parked"] for each in instances)


def _share(instances: list[Instance]) -> bool:
    """Return whether these instances have all partitions, each one once."""
    return sorted(p for each in instances for p in each.partitions) == list(range(PARTITIONS))


def test_the_check_sees_what_is_not_counted_counted_twice_or_never_ordered(
    topic: Topic, start_instance: StartInstance, sales: Sales, scalar: Scalar, query: Query, execute: Execute
) -> None:
    sales.sell(200)
    instance = start_instance()
    eventually(lambda: scalar(COUNTED) == 200, READY_S)
    instance.stop()
    assert differences(query) == []
    execute("UPDATE projection.totals SET orders = orders + 1 WHERE status = 'placed' AND partition = 0")
    assert [each.split()[1] for each in differences(query)] == ["totals"]
    execute("UPDATE projection.totals SET orders = orders - 1 WHERE status = 'placed' AND partition = 0")
    [last] = [each for each in sales.told if each.version == 4][:1]
    execute(f"DELETE FROM projection.timeline WHERE order_id = '{last.order_id}' AND version = 2")
    assert [each[:26] for each in differences(query)] == ["1 orders have another time"]
    execute(f"DELETE FROM orders WHERE id = '{last.order_id}'")
    assert "3 versions in the timeline were never ordered" in differences(query)[-1]
