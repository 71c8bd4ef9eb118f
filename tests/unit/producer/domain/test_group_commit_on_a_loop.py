"""Group commit by requests on an event loop and in threads at once, which are killed at any point where they wait."""

import random
import runpy
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import gevent
import pytest
import sqlalchemy as sa
from gevent.pool import Pool
from sqlalchemy.exc import IntegrityError, OperationalError

from producer.domain.database import CommitUnknown
from producer.domain.group_commit import GroupCommit, KeyInUse, NotTaken
from tests.project import ROOT

LoopWaits = runpy.run_path(str(ROOT / "producer_service" / "loop_worker.py"))["LoopWaits"]
OPERATIONS = 10_000
AT_ONCE = 60
THREADS = 3
NOTHING_STORED = (KeyInUse, NotTaken, IntegrityError, OperationalError)
MAYBE_STORED = (CommitUnknown, gevent.GreenletExit, gevent.Timeout)


class FakePlacement:
    """Some orders. number: which placement it is."""

    def __init__(self, number: int, rows: int, is_bad: bool) -> None:
        self.number, self.orders, self.is_bad = number, [number] * rows, is_bad


class FakeResponse:
    def __init__(self, key: str) -> None:
        self.key = key


class FakeStatement:
    """Stores groups as the database does: all of a group or none, in some time, and sometimes with an error."""

    def __init__(self, chance: random.Random) -> None:
        self.stored: Counter[int] = Counter()
        self._chance, self._lock = chance, threading.Lock()
        self._pause = threading.Event()

    def __call__(self, group: list[Any]) -> dict[int, bool]:
        with self._lock:  # one connection
            self._pause.wait(self._chance.choice([0, 0, 0.0002, 0.001]))
            if any(waiting.placement.is_bad for waiting in group):
                raise IntegrityError("INSERT", {}, Exception("a bad row"))
            fate = self._chance.random()
            if fate < 0.02:
                raise OperationalError("EXECUTE", {}, Exception("timeout"))
            if fate < 0.04:
                raise CommitUnknown
            in_use = {number: True for number in range(len(group)) if self._chance.random() < 0.02}
            self.stored.update(
                waiting.placement.number for number, waiting in enumerate(group) if number not in in_use
            )
            if fate < 0.06:
                raise CommitUnknown  # after the commit
            return in_use


class Requests:
    """Random requests to one GroupCommit, and what each was told."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance = random.Random(seed)
        self.statement = FakeStatement(random.Random(seed + 1))
        self.groups = GroupCommit(sa.create_engine("postgresql+psycopg2://nowhere"), wait_s=0.05, max_rows=40)
        self.groups.waits = LoopWaits()
        monkeypatch.setattr(self.groups, "_execute", self.statement)
        self.told: dict[int, BaseException | None] = {}

    def store(self, number: int) -> None:
        rows = self.chance.choice([1, 1, 1, 2, 39, 41])
        placement: Any = FakePlacement(number, rows, self.chance.random() < 0.02)
        response: Any = FakeResponse(f"key {number % 7}") if self.chance.random() < 0.1 else None
        try:
            self.groups.store(placement, response, self._after_commit)
        except (*NOTHING_STORED, *MAYBE_STORED) as error:
            self.told[number] = error
        else:
            self.told[number] = None

    def store_within_a_time(self, number: int) -> None:
        with gevent.Timeout(self.chance.random() * 0.005):
            self.store(number)

    def _after_commit(self) -> None:
        if self.chance.random() < 0.01:
            raise RuntimeError("publish")

    def check(self) -> None:
        """Each was told the truth, and nothing is left."""
        for number, error in self.told.items():
            stored = self.statement.stored[number]
            if error is None:
                assert stored == 1
            elif isinstance(error, NOTHING_STORED):
                assert stored == 0
            else:
                assert stored <= 1
        assert not self.groups._queue
        assert not self.groups._running_keys
        assert not self.groups._is_led


def run_threads(requests: Requests, numbers: list[int]) -> list[threading.Thread]:
    """Start threads that place the orders of batches, as the native threads of a worker do."""

    def place(part: list[int]) -> None:
        for number in part:
            requests.store(number)

    threads = [threading.Thread(target=place, args=(numbers[first::THREADS],)) for first in range(THREADS)]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.parametrize("seed", range(2))
def test_each_is_stored_once_and_told_truly_whoever_is_killed(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, pool = Requests(seed, monkeypatch), Pool(AT_ONCE)
    threads = run_threads(requests, list(range(OPERATIONS, OPERATIONS + 300)))
    kinds: list[Callable[[int], None]] = [requests.store, requests.store, requests.store_within_a_time]
    for number in range(OPERATIONS):
        pool.spawn(requests.chance.choice(kinds), number)  # waits while AT_ONCE are running
        if requests.chance.random() < 0.1:
            requests.chance.choice(list(pool)).kill(block=False)
        if requests.chance.random() < 0.05:
            gevent.sleep(0.0005)
    pool.join(30)
    assert not len(pool), "some wait for ever"
    with gevent.Timeout(30):
        while any(thread.is_alive() for thread in threads):
            gevent.sleep(0.01)
    requests.check()
    kinds_told = Counter(type(error) for error in requests.told.values())
    for kind in (type(None), *NOTHING_STORED[:1], *NOTHING_STORED[2:], CommitUnknown, gevent.GreenletExit):
        assert kinds_told[kind], kinds_told
    after: Any = FakePlacement(-1, 1, False)
    monkeypatch.setattr(requests.groups, "_execute", lambda group: {})
    requests.groups.store(after, None, lambda: None)
