"""The fake is held to what PostgreSQL does: the same suite runs on it in tests/integration/projector."""

import pytest

from tests.unit.projector.fake_store import FakeStore
from tests.unit.projector.store_contract import Shelf, StoreContract


class TestFakeStore(StoreContract):
    @pytest.fixture
    def shelf(self) -> Shelf:
        store = FakeStore()
        return Shelf(store, store.sums)
