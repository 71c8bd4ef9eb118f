"""The figures are made anew from the topic while they are answered, and nobody notices but by what was wrong."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, count, pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from local_stack.services import PROJECTOR
from projector.rebuild.shelf import Shelf
from tests.eventually import eventually
from tests.integration.producer.conftest import roles
from tests.integration.projector.conftest import (
    PARTITIONS,
    READY_S,
    SERVICE,
    Command,
    Execute,
    Scalar,
    StartInstance,
    Topic,
)
from tests.order_events import Sums, Told, orders, sums

__all__ = ["roles"]

pytestmark = pytest.mark.timeout(400)

COUNTED = "SELECT coalesce(sum(events), 0) FROM projection.positions"
COPIES = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'projection\\_%'"
BAD = Told(UUID(int=1))


def load(number: int, seed: int) -> list[Told]:
    return list(chain.from_iterable(orders(number, seed)))


@contextmanager
def in_a_thread(work: Callable[[], None]) -> Iterator[None]:
    """Do the work again and again beside the block; an error in it is the block's."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            work()

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run)
        try:
            yield
        finally:
            ended.set()
        running.result(30)


def test_rebuild_under_load_equals_what_the_events_add_up_to_and_readers_see_whole_models_only(
    topic: Topic,
    start_instance: StartInstance,
    execute: Execute,
    scalar: Scalar,
    rebuild: Command,
    stored_sums: Callable[[], Sums],
) -> None:
    """Each message is an order of its own, so the figures of an answer of one model are the same number."""
    told = [Told(UUID(int=number)) for number in range(1, 3001)]
    topic.put(told)
    instance, two = start_instance(), start_instance("two")
    eventually(lambda: scalar(COUNTED) == len(told), READY_S)
    # Doubtful figures, which fit each other, so that an answer of two models would show.
    execute("UPDATE projection.totals SET orders = orders + 1000 WHERE partition = 0")
    execute("UPDATE projection.positions SET events = events + 1000 WHERE partition = 0")
    numbers, answers = count(10_000), list[dict[str, Any]]()

    def put() -> None:
        more = [Told(UUID(int=next(numbers))) for _ in range(20)]
        topic.put(more)
        told.extend(more)

    def look() -> None:
        body = instance.get("/stats").json()
        assert body["orders"] == body["events"]
        assert body["events"] - sum(body["as_of"].values()) in (0, 1000)
        answers.append(body)

    with in_a_thread(put), in_a_thread(look):
        done = rebuild()
        assert (done.exit_code, scalar(COPIES)) == (0, 0), done.output
        seen = len(answers)
        eventually(lambda: len(answers) > seen + 5)
    eventually(lambda: scalar(COUNTED) == len(told), READY_S)
    assert stored_sums() == sums(told)
    assert doubtful(answers[0])
    assert not doubtful(answers[-1])
    for before, after in pairwise(answers):
        assert all(after["as_of"][p] >= offset for p, offset in before["as_of"].items())
    assert {instance.stop(), two.stop()} == {0}


def doubtful(body: dict[str, Any]) -> bool:
    return bool(body["events"] > sum(body["as_of"].values()))


def test_rebuild_equals_the_old_figures_and_the_live_instance_counts_nothing_twice(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    rebuild: Command,
    stored_sums: Callable[[], Sums],
) -> None:
    told = load(300, seed=31)
    topic.put([*told, *told[:50]])
    instance = start_instance()
    eventually(lambda: scalar(COUNTED) == len(told), READY_S)
    before = stored_sums()
    done = rebuild()
    assert done.exit_code == 0
    assert f"{len(told):,}" in done.stdout
    assert stored_sums() == before == sums(told)
    more = load(100, seed=32)
    topic.put(more)
    eventually(lambda: scalar(COUNTED) == len(told) + len(more), READY_S)
    assert stored_sums() == sums(told + more)
    assert instance.checks["group"]["partitions"] == list(range(PARTITIONS))


@pytest.fixture
def start_rebuild(
    environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `python -m projector rebuild` as a process that reads one message at a time."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "rebuild.log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "projector", "rebuild", *options],
                    cwd=SERVICE,
                    env=os.environ | environment | {"PROJECTOR_BATCH": "1"},
                    stdout=log,
                    stderr=log,
                )
            )
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait(10)


def test_killed_in_the_middle_it_leaves_a_copy_that_the_next_one_drops(
    topic: Topic,
    start_instance: StartInstance,
    start_rebuild: Callable[..., subprocess.Popen[bytes]],
    scalar: Scalar,
    rebuild: Command,
    stored_sums: Callable[[], Sums],
) -> None:
    told = load(1000, seed=33)
    topic.put(told)
    start_instance()
    eventually(lambda: scalar(COUNTED) == len(told), READY_S)
    process = start_rebuild()
    eventually(lambda: scalar(COPIES) == 1, READY_S, every=0.01)
    assert rebuild().stderr == "Error: Another rebuild is running; nothing was changed.\n"
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert scalar(COPIES) == 1
    assert stored_sums() == sums(told)

    done = eventually(lambda: _unless_running(rebuild()), within=30)
    assert "Removed projection_next_" in done.stderr
    assert (done.exit_code, scalar(COPIES)) == (0, 0)
    assert stored_sums() == sums(told)


def _unless_running(done: Any) -> Any:
    """The server notices a moment later that the process is gone."""
    assert "Another rebuild" not in done.stderr
    return done


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(
    topic: Topic,
    start_rebuild: Callable[..., subprocess.Popen[bytes]],
    scalar: Scalar,
    sent: signal.Signals,
) -> None:
    topic.put(load(1000, seed=34))
    process = start_rebuild()
    eventually(lambda: scalar(COPIES) == 1, READY_S, every=0.01)
    process.send_signal(sent)
    assert process.wait(30) == 1
    assert scalar(COPIES) == 0
    assert scalar(COUNTED) == 0


def test_poisoned_order_stays_parked_and_a_decision_made_meanwhile_holds(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    dlq: Command,
    rebuild: Command,
    stored_sums: Callable[[], Sums],
    dead_letters_on_topic: Callable[[int], list[Any]],
    kafka: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    second, good = Told(UUID(int=2)), load(50, seed=35)
    for told in (BAD, second):
        topic.put([told])
        topic.send(b"{", told.key)
        topic.put([later(told)])
    topic.put(good)
    instance = start_instance()
    eventually(lambda: scalar(COUNTED) == len(good) + 2, READY_S)
    dead_letters_on_topic(4)
    (stays, decided) = first_letters(dlq)
    real = Shelf.seed

    def decide(self: Any) -> int:
        """Let an operator decide when the copy has read everything."""
        assert dlq("discard", decided).stdout == "Applied 1; 0 still parked.\n"
        return real(self)

    monkeypatch.setattr(Shelf, "seed", decide)
    assert rebuild().exit_code == 0
    assert first_letters(dlq) == [stays]
    assert stored_sums() == sums([BAD, second, later(second), *good])
    assert dlq("discard", stays).stdout == "Applied 1; 0 still parked.\n"
    topic.put([later(BAD, 3)])
    eventually(lambda: scalar(COUNTED) == len(good) + 5, READY_S)
    assert stored_sums() == sums([BAD, later(BAD), later(BAD, 3), second, later(second), *good])
    eventually(lambda: instance.checks["dead_letters"]["unpublished"] == 0)
    assert number_of_dead_letters(kafka, topic) == 4


def later(told: Told, version: int = 2) -> Told:
    return replace(told, version=version, status="confirmed")


def number_of_dead_letters(kafka: str, topic: Topic) -> int:
    """Return how many messages the topic for dead letters has ever got."""
    place = TopicPartition(f"{topic.name}.dlq", 0)
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})  # kept until its answer is there
    return int(admin.list_offsets({place: OffsetSpec.latest()})[place].result(10).offset)


def first_letters(dlq: Command) -> list[str]:
    """Return the numbers of the letters that are not behind another."""
    return [line.split()[0] for line in dlq("list").stdout.splitlines() if "behind" not in line]


ORDER = """
    INSERT INTO orders
        (id, customer_name, item, description, unit_price, quantity, status, version, created_at, updated_at)
    VALUES ('{0.order_id}', 'Ada', '{0.item}', '', {1}, {0.quantity}, '{0.status}', {0.version}, now(), now())
"""


def test_orders_of_which_kafka_has_no_event_any_more_are_taken_from_their_table(
    topic: Topic,
    start_instance: StartInstance,
    execute: Execute,
    scalar: Scalar,
    rebuild: Command,
    stored_sums: Callable[[], Sums],
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone, left = [Told(UUID(int=number), item="Mug") for number in range(10, 20)], load(20, seed=36)
    for told in [*gone, *left]:
        topic.send(told.value, told.key, 1)
    topic.flush()
    instance = start_instance()
    eventually(lambda: scalar(COUNTED) == len(gone) + len(left), READY_S)
    before = stored_sums()
    coming = Told(UUID(int=77))
    for told in [*gone, *{told.order_id: told for told in left}.values(), coming]:
        execute(ORDER.format(told, told.total / told.quantity))
    execute(
        "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)"
        f" VALUES (gen_random_uuid(), 'order', '{coming.order_id}', 'order.placed', '', 1, true, now())"
    )
    topic.delete_before(1, len(gone))
    done = rebuild()
    assert done.exit_code == 0
    assert "the latest events of 10 orders" in done.stderr
    assert f"no longer has {len(gone)} offsets of partition 1" in caplog.text
    found = stored_sums()
    assert (found.totals, found.items) == (before.totals, before.items)
    assert (found.events, found.minutes) == (len(left), sums(left).minutes)
    assert eventually(lambda: instance.checks["reading"]["skipped"]) == len(gone)
    assert instance.get(f"/orders/{gone[0].order_id}/timeline").status_code == 404

    topic.put([later(gone[0]), coming])
    eventually(lambda: scalar(COUNTED) == len(left) + 2, READY_S)
    assert stored_sums().totals == sums([*gone, *left, later(gone[0]), coming]).totals


def test_partitions_that_are_added_while_it_reads_are_in_it(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    rebuild: Command,
    stored_sums: Callable[[], Sums],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, new = load(50, seed=37), load(20, seed=38)
    topic.put(told)
    start_instance()
    real = Shelf.seed

    def grow(self: Any) -> int:
        """Let the live instance read the new partition before the rebuild has seen it."""
        topic.grow(PARTITIONS + 1)
        for each in new:
            topic.send(each.value, each.key, PARTITIONS)
        topic.flush()
        eventually(lambda: scalar(COUNTED) == len(told) + len(new), READY_S)
        return real(self)

    monkeypatch.setattr(Shelf, "seed", grow)
    assert rebuild().exit_code == 0
    assert stored_sums() == sums(told + new)


def test_a_span_of_the_topic_is_read_into_a_copy_and_nothing_else_changes(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    dlq: Command,
    rebuild: Command,
    kafka: str,
    stored_sums: Callable[[], Sums],
    projection_engine: sa.Engine,
) -> None:
    early, wanted, late = load(30, seed=39), load(40, seed=40), load(30, seed=41)
    topic.put(early)
    since = passed()
    topic.put(wanted)
    topic.send(b"{", BAD.key)
    topic.flush()
    until = passed()
    topic.put(late)
    instance = start_instance()
    eventually(lambda: scalar(COUNTED) == len(early + wanted + late), READY_S)
    before, letters, checks = (
        stored_sums(),
        dlq("list").stdout,
        eventually(lambda: instance.checks["reading"]),
    )
    groups = groups_of(kafka)

    done = rebuild("--from", since.isoformat(), "--to", until.isoformat())
    assert done.exit_code == 0, done.output
    (name,) = names(projection_engine)
    assert name in done.stdout
    assert f"{len(wanted):,} events" in done.stdout
    assert scalar(f"SELECT count(*) FROM {name}.timeline") == len(wanted)
    assert scalar(f"SELECT count(*) FROM {name}.dead_letters") == 1
    assert scalar(f"SELECT sum(orders) FROM {name}.totals") == 40
    assert (stored_sums(), dlq("list").stdout) == (before, letters)
    assert instance.checks["reading"]["repeats"] == checks["repeats"]
    assert groups_of(kafka) == groups

    again = rebuild("--from", since.isoformat(), "--to", until.isoformat())
    assert again.exit_code == 1
    assert f"{name} exists already. To drop it: ./start_project.sh rebuild --drop {name}" in again.stderr
    assert rebuild("--drop", "projection").exit_code == 1
    assert rebuild("--drop", name).stdout == f"Dropped {name}.\n"
    assert names(projection_engine) == []
    assert scalar(COUNTED) == before.events


def test_a_span_that_was_killed_in_the_middle_is_unfinished_by_its_name(
    topic: Topic,
    start_rebuild: Callable[..., subprocess.Popen[bytes]],
    scalar: Scalar,
    rebuild: Command,
    projection_engine: sa.Engine,
) -> None:
    topic.put(load(1000, seed=43))
    whole, unfinished = "projection_replay_20261122t000000", "projection_replay_20261122t000000_partial"
    process = start_rebuild("--from", "2026-11-22T00:00Z")
    counted = f"SELECT coalesce(sum(events), 0) FROM {unfinished}.positions"
    eventually(lambda: names(projection_engine) == [unfinished], READY_S, every=0.01)
    eventually(lambda: scalar(counted) > 0, READY_S, every=0.01)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    assert names(projection_engine) == [unfinished]
    listed = rebuild("--list").stdout
    assert listed.startswith(f"{unfinished}  ")
    assert "unfinished" in listed

    again = rebuild("--from", "2026-11-22T00:00Z")
    assert again.exit_code == 1
    assert "unfinished. To drop it: ./start_project.sh rebuild --drop " + unfinished in again.stderr
    assert rebuild("--drop", unfinished).exit_code == 0
    assert rebuild("--from", "2026-11-22T00:00Z").exit_code == 0
    assert rebuild("--list").stdout == f"{whole}\n"
    assert rebuild("--drop", whole).exit_code == 0


def passed() -> datetime:
    """Return a moment behind everything that was put on the topic; all that will be is behind it."""
    now = datetime.now(UTC)
    eventually(lambda: datetime.now(UTC) > now + timedelta(milliseconds=5), every=0.001)
    return now + timedelta(milliseconds=3)


def names(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        found = sa.text("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'projection\\_%'")
        return list(connection.execute(found).scalars())


def groups_of(kafka: str) -> set[str]:
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    return {each.group_id for each in admin.list_consumer_groups(request_timeout=10).result(15).valid}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "25:00"), "25:00 is no time"),
        (("--from", ""), "is no time"),
        (("--from", "2999-01-01"), "is in the future"),
        (("--to", "14:05"), "--to goes with --from"),
        (("--drop", "x", "--from", "14:05"), "--drop with nothing"),
        (("--list", "--from", "14:05"), "--list and --drop with nothing"),
        (("--drop", "projection_replay_x"), "There is no copy projection_replay_x; there are: none."),
    ],
)
def test_what_makes_no_sense_is_refused(rebuild: Command, arguments: tuple[str, ...], told: str) -> None:
    done = rebuild(*arguments)
    assert done.exit_code in (1, 2)
    assert told in done.stderr


def test_rebuild_needs_no_more_than_the_rights_of_the_role(
    roles: dict[str, str],
    environment: dict[str, str],
    topic: Topic,
    rebuild: Command,
    stored_sums: Callable[[], Sums],
) -> None:
    told = load(30, seed=42)
    topic.put(told)
    environment["DATABASE_URL"] = roles[PROJECTOR]
    assert rebuild().exit_code == 0
    assert stored_sums() == sums(told)
    assert rebuild("--from", "2026-11-22T00:00Z").exit_code == 0
    assert rebuild("--drop", "projection_replay_20261122t000000").exit_code == 0


def test_without_an_answer_it_says_so_in_a_line(environment: dict[str, str], rebuild: Command) -> None:
    environment["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    assert rebuild().stderr.startswith("Error: Kafka does not answer: ")
    assert rebuild().exit_code == 1
