"""What cannot be read or applied is parked with its order; others flow, and an operator decides."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from tests.eventually import eventually
from tests.integration.projector.conftest import (
    READY_S,
    SERVICE,
    Command,
    Execute,
    Scalar,
    StartInstance,
    Topic,
)
from tests.order_events import Sums, Told, sums

pytestmark = pytest.mark.timeout(400)


COUNTED = "SELECT coalesce(sum(events), 0) FROM projection.positions"
PARKED = "SELECT count(*) FROM projection.dead_letters WHERE discarded_at IS NULL"
BAD, GOOD, OTHER = Told(UUID(int=1)), Told(UUID(int=2)), Told(UUID(int=3))


def later(told: Told, version: int = 2, status: str = "confirmed") -> Told:
    return replace(told, version=version, status=status)


def letter_ids(dlq: Command) -> list[str]:
    return [line.split()[0] for line in dlq("list").stdout.splitlines()]


def test_poisoned_order_is_parked_between_two_good_ones_and_discarded(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    dlq: Command,
    stored_sums: Callable[[], Sums],
    dead_letters_on_topic: Callable[[int], list[Any]],
) -> None:
    topic.put([GOOD, BAD])
    topic.send(b"{", BAD.key)
    topic.put([later(BAD), OTHER, later(GOOD)])
    instance = start_instance()
    eventually(lambda: scalar(COUNTED) == 4 and scalar(PARKED) == 2, READY_S)
    assert stored_sums() == sums([GOOD, BAD, OTHER, later(GOOD)])
    checks = eventually(lambda: instance.checks["dead_letters"])
    assert (checks["status"], checks["parked"], checks["orders"]) == ("degraded", 2, 1)

    first, second = dead_letters_on_topic(2)
    assert (first.key(), first.value(), second.value()) == (BAD.key, b"{", later(BAD).value)
    headers = {name: value.decode() for name, value in first.headers()}
    assert headers["dlq-topic"] == topic.name
    assert headers["dlq-error"] == "not JSON"
    assert headers["dlq-partition"].isdigit()
    assert headers["dlq-offset"].isdigit()

    unreadable, behind = letter_ids(dlq)
    shown = json.loads(dlq("show", unreadable).stdout)
    assert (shown["value"], shown["error"]) == ("{", "not JSON")
    again = dlq("requeue", unreadable)
    assert (again.exit_code, again.stdout) == (1, "Applied 0; 2 still parked.\n")
    assert dlq("discard", unreadable).stdout == "Applied 1; 0 still parked.\n"
    assert stored_sums() == sums([GOOD, BAD, OTHER, later(GOOD), later(BAD)])
    assert dlq("discard", behind).exit_code == 1
    eventually(lambda: instance.checks["dead_letters"]["status"] == "ok")

    topic.put([later(BAD, 3, "shipped")])
    eventually(lambda: scalar(COUNTED) == 6)
    assert scalar("SELECT count(*) FROM projection.dead_letters") == 1  # the discarded one, on record


def test_command_runs_as_a_process(topic: Topic, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "projector", "dlq", "discard", "1"]
    done = subprocess.run(
        command, cwd=SERVICE, env=os.environ | environment, timeout=60, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "Error: No dead letter 1 is parked.\n")


@pytest.fixture
def refusing_database(topic: Topic, execute: Execute) -> Iterator[Callable[[], None]]:
    """A database that refuses one item; the callable ends that."""
    execute("ALTER TABLE projection.orders ADD CONSTRAINT no_poison CHECK (item <> 'Poison')")

    def relent() -> None:
        execute("ALTER TABLE projection.orders DROP CONSTRAINT IF EXISTS no_poison")

    yield relent
    relent()


def test_what_the_database_refuses_is_parked_alone_and_applied_once_it_no_longer_does(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    dlq: Command,
    refusing_database: Callable[[], None],
    stored_sums: Callable[[], Sums],
) -> None:
    poison = Told(UUID(int=4), item="Poison")
    good = [Told(UUID(int=number)) for number in range(100, 150)]
    topic.put([*good[:25], poison, later(poison), *good[25:], *map(later, good)])
    start_instance()
    eventually(lambda: scalar(COUNTED) == 100 and scalar(PARKED) == 2, READY_S)
    refused, _ = letter_ids(dlq)
    assert "no_poison" in dlq("list").stdout
    assert "Nothing was changed" in dlq("requeue", refused).stderr
    refusing_database()
    assert dlq("requeue", refused).stdout == "Applied 2; 0 still parked.\n"
    assert stored_sums() == sums([*good, *map(later, good), poison, later(poison)])
