import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue

import pytest

from producer.cached import Cached, Overdue
from tests.clock import FakeClock
from tests.eventually import eventually


class Computation:
    """Returns how often it was asked, once the test lets it; raises `error` when there is one."""

    def __init__(self) -> None:
        self.count = 0
        self.error: BaseException | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self.is_running = threading.Event()

    def __call__(self) -> int:
        self.count += 1
        count = self.count
        self.is_running.set()
        assert self.go_on.wait(10)
        if self.error is not None:
            raise self.error
        return count

    def freeze(self) -> None:
        self.go_on.clear()
        self.is_running.clear()


@pytest.fixture
def compute() -> Iterator[Computation]:
    computation = Computation()
    yield computation
    computation.go_on.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def in_time(call: Callable[[], int], within_s: float = 5.0) -> int:
    started = time.monotonic()
    value = call()
    assert time.monotonic() - started < within_s
    return value


def test_cached_value_is_computed_once_in_its_period() -> None:
    clock, computed_at = FakeClock(0.0), []

    def compute() -> str:
        computed_at.append(clock.now)
        return "ok"

    cached = Cached(compute, 2.0, clock)
    for moment in (0.0, 1.9, 2.0, 3.0, 4.1):
        clock.now = moment
        assert cached() == "ok"
    assert computed_at == [0.0, 2.0, 4.1]


def test_without_keeping_every_call_in_turn_gets_a_new_value(compute: Computation) -> None:
    cached = Cached(compute, 0)
    assert [cached(), cached(), cached()] == [1, 2, 3]


def test_first_value_is_computed_once_for_all(compute: Computation, pool: ThreadPoolExecutor) -> None:
    cached = Cached(compute, 2.0, FakeClock())
    compute.freeze()
    calls = [pool.submit(cached) for _ in range(16)]
    assert compute.is_running.wait(5)
    compute.go_on.set()
    assert [call.result(5) for call in calls] == [1] * 16
    assert compute.count == 1


def test_last_value_is_given_at_once_while_a_new_one_is_computed(
    compute: Computation, pool: ThreadPoolExecutor
) -> None:
    clock = FakeClock()
    cached = Cached(compute, 2.0, clock, wait_s=30)
    assert cached() == 1
    clock.now += 2
    compute.freeze()
    first = pool.submit(cached)
    assert compute.is_running.wait(5)
    assert in_time(cached) == 1
    compute.go_on.set()
    assert first.result(5) == 2
    assert cached() == 2


def test_first_caller_waits_no_longer_than_it_may(compute: Computation) -> None:
    cached = Cached(compute, 2.0, wait_s=0.05)
    compute.freeze()
    with pytest.raises(Overdue, match=r"No answer within 0\.05 s"):
        in_time(cached)


def test_old_value_is_not_given_when_the_new_one_is_overdue(compute: Computation) -> None:
    clock = FakeClock()
    cached = Cached(compute, 2.0, clock, wait_s=0.05)
    assert cached() == 1
    clock.now += 2
    compute.freeze()
    with pytest.raises(Overdue):
        in_time(cached)
    clock.now += 1
    for _ in range(3):
        with pytest.raises(Overdue):
            in_time(cached)
    assert compute.count == 2
    compute.go_on.set()

    def has_recovered() -> bool:
        with suppress(Overdue):
            return cached() == 2
        return False

    eventually(has_recovered, within=5)


def test_error_is_kept_like_a_value(compute: Computation) -> None:
    clock = FakeClock()
    cached = Cached(compute, 2.0, clock)
    compute.error = LookupError("gone")
    for _ in range(3):
        with pytest.raises(LookupError, match="gone"):
            cached()
    assert compute.count == 1
    compute.error = None
    clock.now += 2
    assert cached() == 2


def test_last_error_is_raised_at_once_while_a_new_value_is_computed(
    compute: Computation, pool: ThreadPoolExecutor
) -> None:
    clock = FakeClock()
    cached = Cached(compute, 2.0, clock, wait_s=30)
    compute.error = LookupError("gone")
    with pytest.raises(LookupError):
        cached()
    clock.now += 2
    compute.freeze()
    first = pool.submit(cached)
    assert compute.is_running.wait(5)
    with pytest.raises(LookupError):
        in_time(cached)
    compute.error = None
    compute.go_on.set()
    assert first.result(5) == 2


def test_kept_error_does_not_collect_the_frames_of_its_callers(compute: Computation) -> None:
    cached = Cached(compute, 2.0, FakeClock())
    compute.error = LookupError("gone")

    def frames() -> int:
        with pytest.raises(LookupError) as raised:
            cached()
        return len(raised.traceback)

    first = frames()
    assert [frames() for _ in range(5)] == [first] * 5


@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_outcome_that_has_long_been_over_is_given_to_nobody(
    compute: Computation, pool: ThreadPoolExecutor, seconds: float
) -> None:
    clock = FakeClock()
    cached = Cached(compute, seconds, clock, wait_s=5)
    assert cached() == 1
    clock.now += seconds + 5
    compute.freeze()
    first = pool.submit(cached)
    assert compute.is_running.wait(5)
    second = pool.submit(cached)
    with suppress(TimeoutError):
        assert second.result(0.1) == 2
    compute.go_on.set()
    assert [first.result(5), second.result(5)] == [2, 2]


def test_computation_whose_thread_is_ended_is_begun_anew_by_the_next_caller(
    compute: Computation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: SimpleQueue[object] = SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda args: ended.put(args.exc_type))
    cached = Cached(compute, 2.0, FakeClock())
    compute.error = SystemExit()
    with pytest.raises(Overdue, match="ended"):
        cached()
    assert ended.get(timeout=5) is SystemExit
    compute.error = None
    assert cached() == 2
