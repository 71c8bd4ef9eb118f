"""`./start_project.sh partitions N` under load: orders are taken, nothing is missing, and nothing is out of order."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import psutil
import psycopg2
import pytest
import requests

from local_stack.services import CDC
from tests.chaos import verdict
from tests.chaos.customers import Customers, Outcome
from tests.chaos.observers import TopicReader, Watcher
from tests.chaos.verdict import Stored
from tests.eventually import eventually
from tests.project import ROOT
from tests.stack import Stack

pytestmark = pytest.mark.timeout(600)

SHOWN_WITHIN_S = 60


@dataclass
class Scene:
    """A stack of its own, since a topic never has fewer partitions again; customers, and viewers of the stream."""

    stack: Stack
    customers: Customers
    topic: TopicReader
    watchers: list[Watcher] = field(default_factory=list)

    def grow(self, partitions: int) -> str:
        """Run the command, and return what it said."""
        return self.stack.run("partitions", str(partitions)).stdout

    def orders(self) -> dict[str, Stored]:
        with psycopg2.connect(self.stack.env["DATABASE_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id::text, version, customer_name FROM orders")
            return {row[0]: Stored(row[1], row[2]) for row in cursor.fetchall()}

    def settle(self) -> None:
        """Let the customers rest, and wait until everybody has everything."""
        self.customers.pause()
        stored = self.orders()
        everything = sum(order.version for order in stored.values())

        def is_settled() -> bool:
            for watcher in self.watchers:
                problems = verdict.never_seen(stored, watcher.seen, watcher.name)
                assert not problems, problems
            stats = requests.get(f"{self.stack.env['PROJECTOR_URL']}/stats", timeout=10).json()
            assert stats["events"] == everything, (stats["events"], everything)
            return True

        eventually(is_settled, within=SHOWN_WITHIN_S, every=0.5)

    def problems(self) -> list[str]:
        """Return everything that is not as it is promised."""
        attempts, stored = self.customers.attempts, self.orders()
        self.topic.read_on()
        found = [
            *self.customers.odd,
            *verdict.lost_orders(attempts, stored),
            *verdict.changed_bytes(self.topic.seen),
        ]
        for name, seen in [("the topic", self.topic.seen), *((w.name, w.seen) for w in self.watchers)]:
            found += verdict.never_seen(stored, seen, name) + verdict.invented(stored, seen, name)
        for watcher in self.watchers:
            found += verdict.out_of_order(watcher.seen, watcher.name)
            found += [f"{watcher.name} was told {gap}" for gap in watcher.gaps()]
        return found


class CapturedStack(Stack):
    """A stack whose events Debezium publishes."""

    optional = frozenset(CDC)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PUBLISHER": "debezium"}


@pytest.fixture
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with getattr(request, "param", Stack).started() as stack, ExitStack() as running:
        stack.run("start")
        url = stack.env["PRODUCER_URL"]
        scene = Scene(
            stack, Customers(lambda: url), TopicReader(stack.env["KAFKA_BOOTSTRAP_SERVERS"], "orders")
        )
        stays = running.enter_context(new_watcher(scene, "the viewer that stays"))
        eventually(stays.is_live)  # what was placed before that is not for it
        scene.watchers.append(stays)
        running.enter_context(scene.customers)
        yield scene


def new_watcher(scene: Scene, name: str) -> Watcher:
    return Watcher(name, scene.stack.env["CONSUMER_URL"] + "/stream")


def some_orders(scene: Scene, count: int) -> None:
    """Wait until so many more requests have been answered."""
    goal = len(scene.customers.attempts) + count
    eventually(lambda: len(scene.customers.attempts) >= goal, within=60)


@pytest.mark.parametrize("scene", [Stack, CapturedStack], indirect=True)
def test_topic_grows_under_load(scene: Scene) -> None:
    returning = new_watcher(scene, "the viewer that comes back")
    with returning:
        eventually(returning.is_live)
        some_orders(scene, 50)
    began = time.monotonic()
    said = scene.grow(12)
    ended = time.monotonic()
    assert "Events are published by 12 partitions now." in said, said
    assert "Publishing paused" in said
    some_orders(scene, 50)
    scene.grow(14)  # events move between the partitions that were there, too
    some_orders(scene, 50)
    comes_back = new_watcher(scene, returning.name)
    comes_back.position, comes_back.seen = returning.position, returning.seen
    with comes_back:
        scene.watchers.append(comes_back)
        scene.settle()
        assert scene.problems() == []
    refused = [each for each in scene.customers.attempts if each.first is not Outcome.ACKNOWLEDGED]
    assert refused == []
    assert verdict.longest_pause(scene.customers.attempts, began, ended) < 5
    assert verdict.repeats(scene.watchers[0].seen) == 0
    ledger = scene.stack.run("ledger", check=False)
    assert ledger.returncode == 0, ledger.stdout + ledger.stderr
    assert scene.watchers[0].position is not None
    assert scene.watchers[0].position.count(":") == 14
    events_behind(scene, 12)
    scene.stack.run("restart")  # with the settings of before
    assert "has 14 partitions already" in scene.grow(14)


def events_behind(scene: Scene, first: int) -> None:
    """Require that orders are in the partitions from `first` on."""
    by_partition = scene.topic._next
    assert all(by_partition[number] > 1 for number in range(first, max(by_partition) + 1)), by_partition


def test_command_that_is_killed_holds_up_nothing_for_long_and_is_repeated(scene: Scene) -> None:
    some_orders(scene, 20)
    command = [*scene.stack.command, "partitions", "12"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as growing:
        assert growing.stdout is not None
        assert "The relay publishes now" in growing.stdout.readline()
        growing.kill()
    some_orders(scene, 20)
    scene.settle()  # the relay publishes what is stored
    eventually(lambda: not is_held(scene), within=30)
    scene.customers.go_on()
    some_orders(scene, 20)
    assert "Events are published by 12 partitions now." in scene.grow(12)
    some_orders(scene, 20)
    scene.settle()
    assert scene.problems() == []


def is_held(scene: Scene) -> bool:
    with psycopg2.connect(scene.stack.env["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT relayed_until > clock_timestamp() FROM layout")
        (held,) = cursor.fetchone() or (None,)
        return bool(held)


def test_producer_that_was_frozen_all_the_while_changes_nothing(scene: Scene) -> None:
    """What it has in its hands it sends by the old number: by then the relay has published that."""
    some_orders(scene, 30)
    main = psutil.Process(int(scene.stack.services()["producer"]["pid"]))
    processes = [main, *main.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        assert "Events are published by 12 partitions now." in scene.grow(12)
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
    some_orders(scene, 50)
    scene.settle()
    assert scene.problems() == []


def test_what_cannot_be_is_refused_in_one_line(scene: Scene) -> None:
    for number, told in (("3", "3 are fewer"), ("101", "more than 100"), ("six", "not a valid integer")):
        done = scene.stack.run("partitions", number, check=False)
        assert done.returncode != 0
        assert told in done.stderr, done.stderr
    assert "has 6 partitions already" in scene.grow(6)
