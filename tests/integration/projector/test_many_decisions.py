"""An operator decides about many dead letters at once: each by itself, and nothing that is not chosen."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from projector.cli import cli
from projector.rebuild.shelf import CopyStore
from projector.store import dead_letters, decisions
from projector.store.apply import apply
from projector.store.database import create_engine
from projector.store.dead_letters import Choice
from projector.store.decisions import Released
from projector.store.queries import Queries
from tests.conftest import DRIVER
from tests.integration.projector.conftest import Command, Execute
from tests.order_events import Told
from tests.unit.projector.messages import TOPIC_ID, batch, log_of, message
from tests.unit.projector.store_contract import LOGS

pytestmark = pytest.mark.timeout(120)

ONE, TWO, GOOD = Told(UUID(int=1)), Told(UUID(int=2)), Told(UUID(int=3))


def later(told: Told, version: int = 2) -> Told:
    return replace(told, version=version, status="confirmed")


@pytest.fixture
def live(database_url: str, empty_read_models: None) -> Iterator[sa.Engine]:
    engine = create_engine(sa.make_url(database_url).set(drivername=DRIVER), 2, 5)
    CopyStore(engine).find_places(TOPIC_ID, LOGS)
    yield engine
    engine.dispose()


@pytest.fixture
def parked(live: sa.Engine) -> sa.Engine:
    """Orders one and two with something unreadable twice and once, and two messages of no order."""
    values = [
        message(ONE, 0, 0),
        message(b"{", 0, 1, key=ONE.key),
        message(later(ONE), 0, 2),
        message(b"[]", 0, 3, key=ONE.key),
        message(later(ONE, 3), 0, 4),
        message(b"[]", 0, 5, key=TWO.key),
        message(TWO, 0, 6),
        message(b"{", 0, 7),
        message(b"{", 0, 8),
        message(GOOD, 0, 9),
    ]
    apply(live, batch(*values))
    assert figures(live) == (2, 8)
    return live


@pytest.fixture
def dlq(database_url: str) -> Command:
    environment = {"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    return lambda *arguments: CliRunner().invoke(cli, ["dlq", *arguments], env=environment)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "BATCH", 2)


def figures(engine: sa.Engine) -> tuple[int, int]:
    """Return how many events are counted, and how many messages parked."""
    return Queries(engine).stats().events, Queries(engine).counts().parked


def test_all_are_given_up_but_what_only_waits_behind_them(parked: sa.Engine, dlq: Command) -> None:
    done = dlq("discard", "--all")
    assert (done.exit_code, done.stdout) == (0, "Discarded 5, applied 3; 0 are parked now.\n")
    assert done.stderr.splitlines()[-1] == "Discarded 5, applied 3"
    assert figures(parked) == (5, 0)
    assert dlq("discard", "--all").stdout == "Discarded 0, applied 0; 0 are parked now.\n"


@pytest.mark.parametrize(
    ("chosen", "told", "left"),
    [
        (("--reason", "not json"), "Discarded 3, applied 1; 4 are parked now.\n", (3, 4)),
        (("--reason", "nothing like that"), "Discarded 0, applied 0; 8 are parked now.\n", (2, 8)),
        (("--order", str(TWO.order_id)), "Discarded 1, applied 1; 6 are parked now.\n", (3, 6)),
        (
            ("--order", str(ONE.order_id), "--reason", "not an object"),
            "Discarded 1, applied 0; 7 are parked now.\n",
            (2, 7),
        ),
    ],
)
def test_only_what_is_chosen_is_given_up(
    parked: sa.Engine, dlq: Command, chosen: tuple[str, ...], told: str, left: tuple[int, int]
) -> None:
    done = dlq("discard", *chosen)
    assert (done.exit_code, done.stdout) == (0, told)
    assert figures(parked) == left


def test_all_are_applied_that_can_be_and_the_others_stay_parked(parked: sa.Engine, dlq: Command) -> None:
    wrong = [Told(UUID(int=number)) for number in range(10, 15)]
    apply(parked, batch(*log_of(0, [*wrong, later(wrong[0])], begin=10)).refused("the database was wrong"))
    done = dlq("requeue", "--all")
    assert (done.exit_code, done.stdout) == (1, "Discarded 0, applied 6; 8 are parked now.\n")
    assert "The first that is still parked: not JSON." in done.stderr
    assert figures(parked) == (8, 8)


def test_what_the_database_refuses_keeps_no_others_back(
    live: sa.Engine, execute: Execute, dlq: Command
) -> None:
    poison = Told(UUID(int=4), item="Poison")
    execute("ALTER TABLE projection.orders ADD CONSTRAINT no_poison CHECK (item <> 'Poison')")
    try:
        apply(live, batch(*log_of(0, [ONE, poison, TWO, GOOD])).refused("the database was wrong"))
        done = dlq("requeue", "--all")
        assert (done.exit_code, done.stdout) == (1, "Discarded 0, applied 3; 1 are parked now.\n")
        assert "no_poison" in done.stderr
    finally:
        execute("ALTER TABLE projection.orders DROP CONSTRAINT no_poison")


def test_what_is_parked_meanwhile_is_left(live: sa.Engine) -> None:
    apply(live, batch(*(message(b"{", 0, n) for n in range(3))))

    def park_more(released: Released) -> None:
        (position,) = [each for p, each in Queries(live).positions().items() if p == 0]
        apply(live, batch(message(b"{", 0, position.next_offset)))

    assert decisions.discard_all(live, Choice(), park_more).discarded == 3
    assert figures(live)[1] == 2
    assert len(dead_letters.parked(live, 10)) == 2


@pytest.mark.parametrize("verb", ["requeue", "discard"])
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--reason", ""),
        ("--all", "1"),
        ("--all", "--reason", "x"),
        ("--order", "x"),
        ("1", "--reason", "x"),
    ],
)
def test_it_must_be_said_which(
    parked: sa.Engine, dlq: Command, verb: str, arguments: tuple[str, ...]
) -> None:
    assert dlq(verb, *arguments).exit_code == 2
    assert figures(parked) == (2, 8)
