"""The moment when a copy takes the place of the live read models: whoever reads or writes has to do with one only."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import Any, ClassVar
from uuid import UUID

import pytest
import sqlalchemy as sa

from projector.readmodel.batch import Batch
from projector.readmodel.placement import Log, Position
from projector.rebuild.shelf import FIRST, CatchUp, CopyStore, Shelf
from projector.store import copies, dead_letters, decisions, settling
from projector.store.apply import apply
from projector.store.copies import AnotherRebuild, CannotSwap
from projector.store.database import DatabaseUnavailable, Refused, create_engine, transaction
from projector.store.decisions import Released
from projector.store.queries import Queries
from projector.store.seeds import seed_page
from tests.conftest import DRIVER
from tests.eventually import eventually
from tests.integration.producer.conftest import roles
from tests.integration.projector.catalog import describe
from tests.integration.projector.conftest import Execute, Scalar
from tests.order_events import Sums, Told, orders, sums
from tests.unit.projector.messages import TOPIC_ID, batch, log_of, message
from tests.unit.projector.store_contract import LOGS

__all__ = ["roles"]

pytestmark = pytest.mark.timeout(120)

TOLD = list(chain.from_iterable(orders(30, seed=21)))
BAD = Told(UUID(int=1))

EngineOf = Callable[[str], sa.Engine]


@pytest.fixture
def engine_of(database_url: str, empty_read_models: None) -> Iterator[EngineOf]:
    """Return an engine of the live read models or of a copy."""
    made: list[sa.Engine] = []

    def make(schema: str) -> sa.Engine:
        made.append(create_engine(sa.make_url(database_url).set(drivername=DRIVER), 4, 5, schema=schema))
        return made[-1]

    yield make
    for each in made:
        each.dispose()


@pytest.fixture
def live(engine_of: EngineOf) -> sa.Engine:
    return engine_of("projection")


@pytest.fixture
def shelf(live: sa.Engine, engine_of: EngineOf) -> Iterator[Shelf]:
    """An open copy, beside live read models whose logs have been found."""
    CopyStore(live).find_places(TOPIC_ID, LOGS)
    shelf = Shelf(live, engine_of)
    shelf.open(len(LOGS))
    shelf.store.find_places(TOPIC_ID, LOGS)
    yield shelf
    shelf.close()


def at_once(live: object) -> bool:
    """Say that the copy has read as far."""
    return True


def test_copy_is_like_what_was_migrated_down_to_rights_and_names(
    roles: dict[str, str], projection_engine: sa.Engine, shelf: Shelf
) -> None:
    migrated = describe(projection_engine)
    assert migrated["relations"]
    copy = describe(projection_engine, shelf.name)
    assert {**copy, "schema": None} == {**migrated, "schema": None}
    assert shelf.swap(at_once)
    assert describe(projection_engine) == migrated


def test_copy_has_what_later_migrations_add(
    execute: Execute, projection_engine: sa.Engine, live: sa.Engine, engine_of: EngineOf
) -> None:
    execute("CREATE TABLE projection.more (id int PRIMARY KEY, name text DEFAULT 'x' CHECK (name <> ''))")
    execute("CREATE INDEX more_name ON projection.more (name) WHERE id > 7")
    execute("GRANT SELECT (name) ON projection.more TO PUBLIC")
    try:
        migrated, shelf = describe(projection_engine), Shelf(live, engine_of)
        shelf.open(2)
        assert shelf.swap(at_once)
        shelf.close()
        assert describe(projection_engine) == migrated
    finally:
        execute("DROP TABLE projection.more")


def test_swap_is_refused_after_a_migration_and_when_others_depend_on_the_tables(
    execute: Execute, scalar: Scalar, shelf: Shelf, live: sa.Engine
) -> None:
    revision = scalar("SELECT version_num FROM alembic_version")
    execute("UPDATE alembic_version SET version_num = 'next'")
    try:
        with pytest.raises(CannotSwap, match="was migrated meanwhile"):
            shelf.swap(at_once)
    finally:
        execute(f"UPDATE alembic_version SET version_num = '{revision}'")
    execute("CREATE VIEW mine AS SELECT sum(orders) FROM projection.totals")
    try:
        with pytest.raises(CannotSwap, match="depend"):
            shelf.swap(at_once)
    finally:
        execute("DROP VIEW mine")
    assert Queries(live).positions()
    assert shelf.swap(at_once)


def test_one_rebuild_at_a_time_and_what_a_dead_one_has_left_is_dropped(
    shelf: Shelf, live: sa.Engine, engine_of: EngineOf
) -> None:
    other = Shelf(live, engine_of)
    with pytest.raises(AnotherRebuild):
        other.open(2)
    copies.create(live, f"{copies.REPLAY}mine")
    shelf._turn.release()  # as when its process was killed
    assert other.open(2) == [shelf.name]
    assert copies.names(live, "projection_") == [other.name, f"{copies.REPLAY}mine"]
    with pytest.raises(CannotSwap, match="is gone"):
        shelf.swap(at_once)
    other.close()
    copies.drop(live, f"{copies.REPLAY}mine")
    assert copies.names(live, "projection_") == []


@pytest.mark.parametrize(
    "name", ["projection", "public", "projection_next_", 'projection_next_a"; DROP', "rebuild"]
)
def test_no_other_schema_can_be_created_dropped_or_put_in_place(live: sa.Engine, name: str) -> None:
    for act in (copies.create, copies.drop):
        with pytest.raises(Refused, match="no copy of the read models"):
            act(live, name)
    with (
        pytest.raises(Refused, match="no copy of the read models"),
        transaction(live) as connection,
    ):
        copies.swap(connection, name, 1)


class Paused:
    """An engine whose next transaction stops before its n-th statement until it is let go on."""

    def __init__(self, engine: sa.Engine, before: int) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._left = before
        sa.event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            self.reached.set()
            assert self.go_on.wait(20)


STATEMENTS = 11  # of a batch
FIGURES = 6


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projector.rebuild.shelf.WRITERS_WAIT_S", 0.2)


def try_to_swap(shelf: Shelf, catch_up: CatchUp) -> bool:
    """Try once; False when somebody is in the way."""
    try:
        return bool(shelf.swap(catch_up))
    except DatabaseUnavailable as error:
        if "lock timeout" not in str(error):
            raise
        return False


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("before", range(1, STATEMENTS + 2))
def test_batch_is_applied_to_one_of_the_two_wherever_the_swap_comes(
    engine_of: EngineOf, live: sa.Engine, shelf: Shelf, stored_sums: Callable[[], Sums], before: int
) -> None:
    """The batch holds events, repeats of them, an unreadable message and one behind it: every statement there is."""
    first, later = log_of(0, TOLD[:20]), log_of(0, [*TOLD[20:], TOLD[0]], begin=20)
    end = 20 + len(later)
    parked = [message(b"{", 0, end, key=BAD.key), message(BAD, 0, end + 1)]
    next_batch = batch(*later, *parked)
    apply(live, batch(*first))
    shelf.store.apply(batch(*first))

    def catch_up(wanted: Mapping[int, Position]) -> bool:
        if wanted[0].next_offset == end + 2:
            shelf.store.apply(next_batch)
        return True

    writer = engine_of("projection")
    paused = Paused(writer, before)
    with ThreadPoolExecutor(1) as thread:
        applying = thread.submit(apply, writer, next_batch)
        eventually(lambda: paused.reached.is_set() or applying.done(), within=20)
        assert paused.reached.is_set() is (before <= STATEMENTS)
        swapped = try_to_swap(shelf, catch_up)
        assert swapped is (before in (1, STATEMENTS + 1))  # who has begun with the old ones is waited for
        paused.go_on.set()
        assert applying.result(20).next_offsets == {0: end + 2}
    assert swapped or try_to_swap(shelf, catch_up)
    assert stored_sums() == sums(TOLD)
    assert Queries(live).positions()[0].next_offset == end + 2
    assert [letter.offset for letter in dead_letters.parked(live, 10)] == [end, end + 1]


def test_who_comes_while_the_two_are_compared_writes_into_the_new_ones(
    engine_of: EngineOf, live: sa.Engine, shelf: Shelf, scalar: Scalar
) -> None:
    unreadable = batch(message(b"{", 0, 0, key=BAD.key), message(BAD, 0, 1))
    apply(live, unreadable)
    shelf.store.apply(unreadable)
    (first, _) = dead_letters.parked(live, 10)
    with ThreadPoolExecutor(1) as thread:
        decided: list[Future[Released]] = []

        def catch_up(wanted: object) -> bool:
            decided.append(thread.submit(decisions.discard, engine_of("projection"), first.id))
            eventually(lambda: scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0)
            return True

        assert shelf.swap(catch_up)
        assert decided[0].result(20) == Released(1, 0, discarded=1)
    assert dead_letters.parked(live, 10) == []
    assert Queries(live).stats().events == 1


def test_who_reads_is_waited_for_and_others_are_answered_meanwhile(
    engine_of: EngineOf, live: sa.Engine, shelf: Shelf
) -> None:
    apply(live, batch(*log_of(0, TOLD)))
    reader = Queries(engine_of("projection"))
    with transaction(engine_of("projection")) as connection:
        connection.execute(sa.text("SELECT FROM projection.minutes"))
        with ThreadPoolExecutor(1) as thread:
            swapping = thread.submit(try_to_swap, shelf, at_once)
            answers = [reader.stats()]
            while not swapping.done():
                answers.append(reader.stats())
            assert not swapping.result()
    assert {answer.events for answer in answers} == {len(TOLD)}
    assert shelf.swap(at_once)
    assert reader.stats().events == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("before", range(1, FIGURES + 2))
def test_figures_of_several_statements_are_of_one_whole_model_wherever_the_swap_comes(
    engine_of: EngineOf, live: sa.Engine, shelf: Shelf, before: int
) -> None:
    """The copy is empty when they are begun, and whole when it takes its place."""
    everything = batch(*log_of(0, TOLD))
    apply(live, everything)
    reading = engine_of("projection")
    paused = Paused(reading, before)
    with ThreadPoolExecutor(1) as thread:
        answering = thread.submit(Queries(reading).figures, 60, 10)
        eventually(lambda: paused.reached.is_set() or answering.done(), within=20)
        assert paused.reached.is_set() is (before <= FIGURES)
        shelf.store.apply(everything)
        swapped = try_to_swap(shelf, at_once)
        paused.go_on.set()
        figures = answering.result(20)
    assert figures.stats.events == len(TOLD)
    assert figures.stats.next_offsets[0] == len(TOLD)
    assert figures.items
    assert swapped or try_to_swap(shelf, at_once)


def test_drop_that_comes_while_a_swap_is_committed_drops_no_live_figures(
    live: sa.Engine, shelf: Shelf, scalar: Scalar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the swap is interrupted while it waits for the answer to its COMMIT."""
    shelf.store.apply(batch(*log_of(0, TOLD)))
    real, dropped = copies.swap, list[Future[None]]()
    with ThreadPoolExecutor(1) as thread:

        def swap(connection: sa.Connection, name: str, within_s: float) -> None:
            real(connection, name, within_s)
            dropped.append(thread.submit(copies.drop, live, name))
            eventually(lambda: scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0)

        monkeypatch.setattr(copies, "swap", swap)
        assert shelf.swap(at_once)
        dropped[0].result(20)
    assert Queries(live).stats().events == len(TOLD)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_all_orders_are_looked_through_wherever_a_page_ends(
    live: sa.Engine, shelf: Shelf, execute: Execute, limit: int
) -> None:
    """Without any, too."""
    assert seed_page(live, FIRST, limit) == (None, 0)
    for number in (1, 2):
        execute(
            "INSERT INTO orders (id, customer_name, item, description, unit_price, quantity, status, version,"
            f" created_at, updated_at) VALUES ('{UUID(int=number)}', 'Ada', 'Mug', '', 1, 1, 'placed', 1, now(), now())"
        )
    after: str | None = FIRST
    seeded = 0
    while after is not None:
        after, number = seed_page(live, after, limit)
        seeded += number
    assert seeded == 2
    assert Queries(live).stats().by_status == {"placed": 2}


@pytest.fixture
def vacuum_at_work(execute: Execute, scalar: Scalar) -> Iterator[Callable[[], None]]:
    """Have autovacuum begin with the timeline, where it takes its time."""

    def begin() -> None:
        execute(
            "ALTER TABLE projection.timeline SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
        )
        execute(
            "ALTER TABLE projection.timeline SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1)"
        )
        execute(
            "INSERT INTO projection.timeline SELECT gen_random_uuid(), 1, 'placed', now(), 0, number"
            " FROM generate_series(1, 30000) AS number"
        )
        execute("DELETE FROM projection.timeline")
        execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        execute("SELECT pg_reload_conf()")
        eventually(lambda: scalar(AT_WORK) > 0, within=60)

    yield begin
    execute("ALTER SYSTEM RESET autovacuum_naptime")
    execute("SELECT pg_reload_conf()")


AT_WORK = """
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE backend_type = 'autovacuum worker' AND datname = current_database()
        AND relation = 'projection.timeline'::regclass
"""


def test_autovacuum_gives_way(shelf: Shelf, vacuum_at_work: Callable[[], None], scalar: Scalar) -> None:
    vacuum_at_work()
    assert shelf.swap(at_once)
    assert scalar(AT_WORK) == 0


def test_lost_answer_to_the_swap_is_found_out(shelf: Shelf, live: sa.Engine) -> None:
    outcome = shelf.swap(at_once)
    assert outcome
    assert shelf.swap(at_once) is outcome
    assert Queries(live).positions() == {p: Position(TOPIC_ID, 0) for p in LOGS}


def test_connection_that_was_lost_is_made_anew(shelf: Shelf, execute: Execute) -> None:
    execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 6001007"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with pytest.raises(DatabaseUnavailable):
        shelf.swap(at_once)
    assert shelf.swap(at_once)


def test_turn_that_a_lost_connection_still_has_is_waited_for(
    shelf: Shelf, live: sa.Engine, engine_of: EngineOf
) -> None:
    lost, shelf._turn = shelf._turn, copies.Turn(live)
    with pytest.raises(DatabaseUnavailable, match="still has the turn"):
        shelf.swap(at_once)
    lost.release()
    assert eventually(lambda: shelf.swap(at_once))


def test_copy_begins_anew_and_remembers_that_the_topic_was_created_again(
    live: sa.Engine, engine_of: EngineOf
) -> None:
    for topic_id in ("topic-0", TOPIC_ID):
        CopyStore(live).find_places(topic_id, LOGS)
    apply(live, batch(*log_of(0, TOLD)))
    shelf = Shelf(live, engine_of)
    shelf.open(len(LOGS))
    found = shelf.store.find_places(TOPIC_ID, {0: Log(3, 9), 1: Log(0, 0)})
    assert [now for _, now in found.values()] == [
        Position(TOPIC_ID, 3, skipped=3, recreated=1),
        Position(TOPIC_ID, 0, recreated=1),
    ]
    shelf.close()


def test_copy_that_is_behind_is_not_swapped(shelf: Shelf, live: sa.Engine) -> None:
    apply(live, batch(*log_of(0, TOLD)))
    assert shelf.swap(lambda wanted: wanted[0].next_offset < len(TOLD)) is None
    assert Queries(live).stats().events == len(TOLD)


class TestDeadLetters:
    """BAD's second message is unreadable, and its third is behind it."""

    LOG: ClassVar[list[Told | bytes]] = [
        BAD,
        b"{",
        replace(BAD, version=2, status="confirmed"),
        Told(UUID(int=2)),
    ]

    @pytest.fixture
    def both(self, live: sa.Engine, shelf: Shelf) -> Shelf:
        """A copy that has read what the live read models have."""
        messages = self.messages()
        apply(live, messages)
        with transaction(live) as connection:
            dead_letters.mark_published(connection, dead_letters.unpublished(connection, 10))
        shelf.store.apply(messages)
        return shelf

    def messages(self) -> Batch:
        return batch(*(message(each, 0, n, key=BAD.key) for n, each in enumerate(self.LOG)))

    def test_what_is_parked_stays_so_under_its_number_and_is_not_published_again(
        self, both: Shelf, live: sa.Engine
    ) -> None:
        before = dead_letters.parked(live, 10)
        assert both.swap(at_once)
        assert dead_letters.parked(live, 10) == before
        assert Queries(live).counts().unpublished == 0
        assert Queries(live).stats().events == 2
        assert decisions.discard(live, before[0].id) == Released(1, 0, discarded=1)

    @pytest.mark.parametrize("decide_before_reading", [True, False])
    def test_discarded_message_holds_nothing_back(
        self, live: sa.Engine, shelf: Shelf, decide_before_reading: bool
    ) -> None:
        apply(live, self.messages())
        (unreadable, _) = dead_letters.parked(live, 10)
        if not decide_before_reading:
            shelf.store.apply(self.messages())
        decisions.discard(live, unreadable.id)
        if decide_before_reading:
            shelf.store.apply(self.messages())
        assert shelf.swap(at_once)
        assert dead_letters.parked(live, 10) == []
        assert dead_letters.find(live, unreadable.id)
        assert Queries(live).stats().events == 3

    def test_what_is_parked_stays_so_although_it_could_be_applied_now(
        self, live: sa.Engine, shelf: Shelf
    ) -> None:
        readable = batch(*log_of(0, [BAD, replace(BAD, version=2, status="confirmed")]))
        apply(live, readable.refused("the database was wrong"))
        before = dead_letters.parked(live, 10)
        shelf.store.apply(readable)
        assert shelf.swap(at_once)
        assert dead_letters.parked(live, 10) == before
        assert Queries(live).stats().events == 0
        assert decisions.requeue(live, before[0].id) == Released(2, 0)

    def test_what_was_applied_after_all_meanwhile_is_so_in_the_copy_too(
        self, live: sa.Engine, shelf: Shelf
    ) -> None:
        readable = batch(*log_of(0, [BAD, replace(BAD, version=2, status="confirmed")]))
        apply(live, readable.refused("the database was wrong"))
        shelf.store.apply(readable)
        assert Queries(live).counts().parked == 2
        decisions.requeue(live, dead_letters.parked(live, 10)[0].id)
        assert shelf.swap(at_once)
        assert Queries(live).counts().parked == 0
        assert Queries(live).stats().events == 2

    def test_letters_are_not_written_anew_however_many_there_are(
        self, both: Shelf, live: sa.Engine, projection_engine: sa.Engine
    ) -> None:
        """Everybody waits for the swap, and it would be ended before it had copied hundreds of thousands."""
        rows = sa.text("SELECT xmin::text, ctid::text, * FROM projection.dead_letters ORDER BY id")
        with projection_engine.connect() as connection:
            before = [tuple(row)[:3] for row in connection.execute(rows)]
            assert len(before) == 2
            assert both.swap(at_once)
            assert [tuple(row)[:3] for row in connection.execute(rows)] == before

    def test_any_number_of_discarded_messages_hold_nothing_back(
        self, live: sa.Engine, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settling, "PAGE", 2)
        told = [Told(UUID(int=number)) for number in range(1, 8)]
        log = [message(b"{", 0, n, key=each.key) for n, each in enumerate(told)]
        messages = batch(*log, *log_of(0, told, begin=len(log)))
        apply(live, messages)
        shelf.store.apply(messages)
        for letter in dead_letters.parked(live, len(told)):
            assert decisions.discard(live, letter.id).applied == 1
        assert shelf.swap(at_once)
        assert Queries(live).counts().parked == 0
        assert Queries(live).stats().events == len(told)

    def test_letters_that_only_the_copy_has_get_numbers_behind_the_others(
        self, both: Shelf, live: sa.Engine
    ) -> None:
        both.store.apply(batch(message(b"[", 0, 4), message(b"[", 0, 5)))
        last = dead_letters.parked(live, 10)[-1].id
        assert both.swap(at_once)
        new = [letter for letter in dead_letters.parked(live, 10) if letter.id > last]
        assert sorted(letter.offset for letter in new) == [4, 5]
        assert Queries(live).counts().unpublished == 2
        apply(live, batch(message(b"[", 0, 6)))
        assert dead_letters.parked(live, 10)[-1].id > new[-1].id

    def test_another_message_in_the_place_of_a_letter_is_not_decided_about(
        self, live: sa.Engine, shelf: Shelf
    ) -> None:
        """Where Kafka has lost the end of a log, its offsets come again."""
        apply(live, batch(message(b"{", 0, 0, key=BAD.key), message(b"[", 0, 1), message(b"[", 0, 2)))
        for letter in dead_letters.parked(live, 10):
            decisions.discard(live, letter.id)
        again = batch(message(BAD, 0, 0), message(b"[1]", 0, 1), message(b"[", 0, 2))
        assert dead_letters.decided(live, again) == {(0, 2): None}
        shelf.store.apply(again)
        assert shelf.swap(at_once)
        assert Queries(live).stats().events == 1
        assert [(letter.offset, letter.error) for letter in dead_letters.parked(live, 10)] == [
            (1, "not an object")
        ]

    def test_letters_of_what_kafka_no_longer_has_are_kept(self, live: sa.Engine, shelf: Shelf) -> None:
        apply(live, self.messages())
        before = dead_letters.parked(live, 10)
        shelf.store.find_places(TOPIC_ID, {0: Log(4, 100)})
        assert shelf.swap(at_once)
        assert dead_letters.parked(live, 10) == before
