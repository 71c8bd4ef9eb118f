from consumer.rate_limit import RateLimiter
from tests.clock import FakeClock


def test_rate_limiter_allows_one_call_per_interval() -> None:
    clock = FakeClock()
    limiter = RateLimiter(1, clock)
    assert [limiter.allow(), limiter.allow()] == [True, False]
    clock.now += 1
    assert limiter.allow()
