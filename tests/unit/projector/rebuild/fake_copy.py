"""A copy of read models in memory, and what takes their place at once."""

from collections.abc import Callable
from decimal import Decimal

from projector.readmodel.batch import Batch
from projector.readmodel.changes import OrderState, raised
from projector.readmodel.parking import Decided
from projector.readmodel.placement import Position
from projector.rebuild.shelf import CatchUp, Outcome
from projector.store.database import DatabaseUnavailable
from projector.store.queries import Stats
from tests.unit.projector.fake_store import FakeStore

NOTHING = Stats({}, Decimal(0), 0, {})


class FakeCopy:
    """Stands in for Shelf.

    orders: the table of orders. busy: how many swaps find somebody reading. before_swap: is called before each.
    """

    def __init__(self, live: FakeStore, partitions: int = 2) -> None:
        self._live = live
        self.store = FakeStore(self._decided)
        self.store.positions = {
            p: Position(each.topic_id, 0, 0, each.recreated)
            for p, each in live.positions.items()
            if p < partitions
        }
        self.orders: dict[str, OrderState] = {}
        self.busy = 0
        self.before_swap: Callable[[], None] = lambda: None
        self.is_held = False
        self.swaps = 0
        self.seeds: list[int] = []

    def _decided(self, batch: Batch) -> Decided:
        return {
            (letter.message.partition, letter.message.offset): letter.error for letter in self._live.letters
        }

    def missed(self) -> int:
        return sum(each.skipped for each in self.store.positions.values())

    def seed(self) -> int:
        known = self.store.orders
        parked = {letter.message.order_id for letter in self.store.letters}
        missing = {
            order_id: state
            for order_id, state in self.orders.items()
            if order_id not in parked and (order_id not in known or known[order_id].version < state.version)
        }
        self.store.add(raised(missing, known))
        self.seeds.append(len(missing))
        return len(missing)

    def swap(self, catch_up: CatchUp) -> Outcome | None:
        self.before_swap()
        if self.busy:
            self.busy -= 1
            raise DatabaseUnavailable("somebody is reading")
        self.is_held = True
        caught_up = catch_up(dict(self._live.positions))
        self.is_held = False
        if not caught_up:
            return None
        self.swaps += 1
        self._live.become(self.store)
        return Outcome(NOTHING, NOTHING)
