"""In which order the figures are read, on an engine that keeps the statements."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa

from projector.store.queries import Queries
from tests.project import ROOT

TABLE = re.compile(r"projection\.(\w+)")
LAST = re.compile(r"array_position\(ARRAY\[([^]]*)\]")


class Answer(list[Any]):
    """Rows. As a single value: nothing."""

    def scalar_one(self) -> None: ...


class FakeEngine:
    """Keeps which tables are locked or read, in the order of their first statement, and finds them empty."""

    def __init__(self) -> None:
        self.read: list[str] = []

    @contextmanager
    def begin(self) -> Iterator["FakeEngine"]:
        yield self

    def execute(self, statement: sa.TextClause, values: object = None) -> Answer:
        tables = TABLE.findall(statement.text)
        self.read += [table for table in tables if table not in self.read]
        return Answer([SimpleNamespace(totals=[], positions=[])] if "totals" in tables else [])


def test_figures_are_read_in_the_order_in_which_a_swap_locks_the_tables() -> None:
    """Else each could hold what the other waits for, and PostgreSQL would end the swap."""
    engine = FakeEngine()
    Queries(cast(sa.Engine, engine)).figures(60, 10)
    found = LAST.search((ROOT / "db" / "versions" / "0008_rebuild.py").read_text())
    assert found
    last = re.findall(r"'(\w+)'", found[1])
    first = sorted(set(engine.read) - set(last))
    assert len(engine.read) == 4
    assert engine.read == first + [table for table in last if table in engine.read]
