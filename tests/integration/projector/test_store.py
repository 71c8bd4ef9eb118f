"""The read models in PostgreSQL: the suite of the fake, and what several connections do to each other."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain
from uuid import UUID

import pytest
import sqlalchemy as sa

from projector.readmodel.batch import Message
from projector.readmodel.placement import Log
from projector.services import PostgresStore
from projector.store import dead_letters, decisions
from projector.store.database import create_engine
from tests.conftest import DRIVER
from tests.eventually import eventually
from tests.integration.projector.conftest import Scalar
from tests.order_events import Sums, Told, orders, sums
from tests.unit.projector.messages import TOPIC_ID, batch, log_of, message
from tests.unit.projector.store_contract import LOGS, Shelf, StoreContract


@pytest.fixture
def engine(database_url: str, empty_read_models: None) -> Iterator[sa.Engine]:
    engine = create_engine(sa.make_url(database_url).set(drivername=DRIVER), 4, 5)
    yield engine
    engine.dispose()


@pytest.fixture
def shelf(engine: sa.Engine, stored_sums: Callable[[], Sums]) -> Shelf:
    return Shelf(PostgresStore(engine), stored_sums)


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def shelf(self, shelf: Shelf) -> Shelf:
        return shelf


def test_of_two_that_apply_one_batch_at_once_one_is_fenced(shelf: Shelf) -> None:
    shelf.store.find_places(TOPIC_ID, LOGS)
    told = list(chain.from_iterable(orders(50)))
    both = batch(*log_of(0, told))
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(shelf.store.apply, [both] * 4))
    assert sorted(len(each.fenced) for each in applied) == [0, 1, 1, 1]
    assert shelf.sums() == sums(told)


def test_instances_with_other_partitions_add_to_the_same_sums(shelf: Shelf) -> None:
    shelf.store.find_places(TOPIC_ID, LOGS)
    parts = [list(chain.from_iterable(orders(40, seed))) for seed in (1, 2)]

    def apply(partition: int) -> None:
        for number, told in enumerate(parts[partition]):
            shelf.store.apply(batch(*log_of(partition, [told], begin=number)))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(apply, (0, 1)))
    assert shelf.sums() == sums(chain.from_iterable(parts))


def test_order_that_is_in_two_partitions_at_once_is_counted_once(shelf: Shelf) -> None:
    shelf.store.find_places(TOPIC_ID, LOGS)
    told = [Told(UUID(int=number)) for number in range(200)]
    batches = [batch(*log_of(0, told)), batch(*log_of(1, told[::-1]))]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(shelf.store.apply, batches))
    assert shelf.sums() == sums(told)


def test_messages_that_take_the_offsets_of_parked_ones_are_parked_too(shelf: Shelf, scalar: Scalar) -> None:
    """Kafka may lose the end of a log, and with it messages that are parked; others get their offsets."""
    one, two = Told(UUID(int=1)), Told(UUID(int=2))
    shelf.store.find_places(TOPIC_ID, LOGS)
    shelf.store.apply(batch(message(b"{", 0, 0, key=one.key), message(b"[", 0, 1, key=two.key)))
    for _ in range(2):  # and a repeat is still a repeat
        shelf.store.find_places(TOPIC_ID, {0: Log(0, 1)})
        assert shelf.store.apply(batch(message(one, 0, 1))).parked == 1
    assert scalar("SELECT count(*) FROM projection.dead_letters") == 3
    assert scalar("SELECT count(*) FROM projection.dead_letters WHERE error LIKE 'behind%'") == 1


WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@contextmanager
def locked(engine: sa.Engine, rows: str) -> Iterator[None]:
    """Hold the lock of some rows."""
    with engine.connect() as connection:
        for statement in ("BEGIN", f"SELECT FROM {rows} FOR UPDATE"):
            connection.execute(sa.text(statement))
        yield
        connection.execute(sa.text("ROLLBACK"))


@pytest.mark.parametrize("versions", [(1, 2), (2, 1)], ids=str)
def test_two_versions_of_a_new_order_in_two_partitions_at_once_are_of_one_order(
    shelf: Shelf, projection_engine: sa.Engine, scalar: Scalar, versions: tuple[int, int]
) -> None:
    """As once the topic has more partitions: what one instance has still to read of an order, and another one has."""
    others = [Told(UUID(int=1)), Told(UUID(int=2), status="confirmed")]
    placed = Told(UUID(int=3))
    told = {1: placed, 2: replace(placed, version=2, status="confirmed", item="Mug")}
    first, second = (told[version] for version in versions)
    shelf.store.find_places(TOPIC_ID, LOGS)
    shelf.store.apply(batch(*log_of(0, others)))
    with ThreadPoolExecutor(2) as threads:
        with locked(projection_engine, "projection.totals"):
            one = threads.submit(shelf.store.apply, batch(message(first, 0, 2)))
            eventually(lambda: scalar(WAITING) == 1)  # it has not found the order, and counts it as new
            two = threads.submit(shelf.store.apply, batch(message(second, 1, 0)))
            eventually(lambda: scalar(WAITING) == 2)
        assert (one.result(10).next_offsets, two.result(10).next_offsets) == ({0: 3}, {1: 1})
    assert shelf.sums() == sums([*others, first, second])
    assert scalar(f"SELECT version FROM projection.orders WHERE order_id = '{placed.order_id}'") == 2


def test_two_instances_and_an_operator_at_once_neither_deadlock_nor_lose_anything(
    shelf: Shelf, engine: sa.Engine
) -> None:
    """Every order is in both partitions, and some have unreadable messages, which the operator gives up."""
    shelf.store.find_places(TOPIC_ID, LOGS)
    rand, told = random.Random(5), list(orders(200, seed=5))
    logs: dict[int, list[Message]] = {0: [], 1: []}
    for number, order in enumerate(told):
        unreadable: list[Told | bytes] = [b"{"] if number % 4 == 0 else []
        for each in [*unreadable, *order]:
            log = logs[partition := rand.randrange(2)]
            log.append(message(each, partition, len(log), key=order[0].key))
    applied = threading.Event()

    def apply(partition: int) -> None:
        for begin in range(0, len(logs[partition]), 7):
            assert not shelf.store.apply(batch(*logs[partition][begin : begin + 7])).fenced

    def decide() -> None:
        while not applied.is_set() or dead_letters.parked(engine, 1):
            for letter in dead_letters.parked(engine, 20):
                decision = decisions.discard if letter.error == "not JSON" else decisions.requeue
                with suppress(decisions.NotParked):  # it was released with one before it
                    decision(engine, letter.id)

    with ThreadPoolExecutor(3) as threads:
        operator = threads.submit(decide)
        instances = [threads.submit(apply, partition) for partition in (0, 1)]
        try:
            for instance in instances:
                instance.result(60)
        finally:
            applied.set()
        operator.result(60)
    assert shelf.sums() == sums(chain.from_iterable(told))
