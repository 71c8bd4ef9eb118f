from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from producer.domain.shortage import KEPT_S, OutOfResources, Shortage
from tests.clock import FakeClock


class Refused(Exception):
    """An error as psycopg2 raises it."""

    def __init__(self, pgcode: str | None):
        super().__init__(f"error {pgcode}\nHINT: more")
        self.pgcode = pgcode


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(100.0)


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    """A database that refuses what it is told to."""
    engine = sa.create_engine("sqlite://")
    sa.event.listen(engine, "before_cursor_execute", refuse)
    yield engine
    engine.dispose()


def refuse(connection: object, cursor: object, statement: str, *others: object) -> None:
    if "refuse" in statement:
        raise Refused(statement.partition("refuse")[2] or None)


@pytest.fixture
def shortage(clock: FakeClock, engine: sa.Engine) -> Shortage:
    shortage = Shortage(clock)
    shortage.watch(engine)
    shortage.ends_with(engine)
    return shortage


def fail(engine: sa.Engine, pgcode: str | None) -> None:
    with engine.connect() as connection, pytest.raises(Refused):
        connection.exec_driver_sql(f"refuse{pgcode or ''}")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("53100", "The database's disk is full."),
        ("53200", "error 53200"),
        ("53400", "error 53400"),
        ("58030", "error 58030"),
    ],
)
def test_what_lacks_is_told(shortage: Shortage, engine: sa.Engine, code: str, said: str) -> None:
    shortage.require_none()
    fail(engine, code)
    with pytest.raises(OutOfResources) as refused:
        shortage.require_none()
    assert str(refused.value) == said


@pytest.mark.parametrize("code", ["23505", "57P01", "25006", "", None])
def test_other_errors_are_no_shortage(shortage: Shortage, engine: sa.Engine, code: str | None) -> None:
    fail(engine, code)
    shortage.require_none()


def test_statement_that_succeeds_ends_it(shortage: Shortage, engine: sa.Engine) -> None:
    fail(engine, "53100")
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
    shortage.require_none()


def test_it_is_forgotten_when_nothing_is_stored_for_long(
    shortage: Shortage, engine: sa.Engine, clock: FakeClock
) -> None:
    fail(engine, "53100")
    clock.now += KEPT_S - 0.1
    with pytest.raises(OutOfResources):
        shortage.require_none()
    clock.now += 0.1
    shortage.require_none()


def test_read_that_is_refused_is_no_shortage(shortage: Shortage, engine: sa.Engine) -> None:
    with engine.connect() as connection, pytest.raises(Refused):
        connection.exec_driver_sql("SELECT refuse53400")
    shortage.require_none()
