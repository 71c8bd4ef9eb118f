import pytest

from producer.cached import Cached
from tests.clock import FakeClock


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


def test_cached_error_is_raised_and_not_kept() -> None:
    results = iter([1, 2])

    def compute() -> int:
        if (result := next(results)) == 1:
            raise ConnectionError
        return result

    cached = Cached(compute, 2.0, FakeClock())
    with pytest.raises(ConnectionError):
        cached()
    assert cached() == 2
