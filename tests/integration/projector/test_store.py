"""The read models in PostgreSQL: the suite of the fake, and what several connections do to each other."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from uuid import UUID

import pytest
import sqlalchemy as sa

from projector.services import PostgresStore
from projector.store.database import create_engine
from tests.conftest import DRIVER
from tests.order_events import Sums, Told, orders, sums
from tests.unit.projector.messages import TOPIC_ID, batch, log_of
from tests.unit.projector.store_contract import LOGS, Shelf, StoreContract


@pytest.fixture
def shelf(database_url: str, empty_read_models: None, stored_sums: Callable[[], Sums]) -> Iterator[Shelf]:
    engine = create_engine(sa.make_url(database_url).set(drivername=DRIVER), 4, 5)
    yield Shelf(PostgresStore(engine), stored_sums)
    engine.dispose()


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
