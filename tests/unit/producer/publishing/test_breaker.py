"""The circuit breaker by example, and against a model of it with events in any order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from producer.publishing.breaker import Breaker, BreakerPolicy, Permit, State
from tests.clock import FakeClock

POLICY = BreakerPolicy(failures=3, open_s=5.0, probe_s=6.0)


def state_of(breaker: Breaker) -> State:
    """Return the state. A call, because mypy takes a property that was compared once for constant."""
    return breaker.state


def test_breaker_opens_after_failures_in_a_row_and_a_probe_closes_it() -> None:
    clock = FakeClock(0.0)
    breaker = Breaker(POLICY, clock)
    for _ in range(3):
        permit = breaker.permit()
        assert permit is not None
        breaker.failed(permit)
    assert state_of(breaker) == "open"
    assert breaker.permit() is None
    clock.now = 5.0
    assert state_of(breaker) == "half-open"
    probe = breaker.permit()
    assert probe is not None
    assert state_of(breaker) == "half-open"
    assert breaker.permit() is None
    breaker.succeeded(probe)
    assert state_of(breaker) == "closed"


def test_breaker_counts_failures_anew_after_a_success() -> None:
    breaker = Breaker(POLICY, FakeClock(0.0))
    permits = [breaker.permit() for _ in range(5)]
    for number, permit in enumerate(permits):
        assert permit is not None
        if number == 2:
            breaker.succeeded(permit)
        else:
            breaker.failed(permit)
    assert state_of(breaker) == "closed"


def test_breaker_ignores_a_late_report_from_before_it_opened() -> None:
    clock = FakeClock(0.0)
    breaker = Breaker(BreakerPolicy(failures=1), clock)
    early, late = breaker.permit(), breaker.permit()
    assert early is not None
    assert late is not None
    breaker.failed(early)
    clock.now = 5.0
    assert breaker.permit() is not None
    breaker.succeeded(late)
    assert state_of(breaker) == "half-open"


class BreakerMachine(RuleBasedStateMachine):
    """A breaker and a model of it: the state, when it may change, and the permits of the current period."""

    permits = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(0.0)
        self.breaker = Breaker(POLICY, self.clock)
        self.state, self.failures, self.until = "closed", 0, 0.0
        self.current: set[Permit] = set()

    def become(self, state: str, wait_s: float) -> None:
        self.state, self.failures, self.until = state, 0, self.clock.now + wait_s
        self.current = set()

    @rule(seconds=st.sampled_from([0.5, 4.9, 5.0, 6.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(target=permits)
    def ask(self) -> Permit | None:
        permit = self.breaker.permit()
        if self.state == "closed":
            assert permit is not None
        elif self.clock.now < self.until:
            assert permit is None
        else:
            assert permit is not None
            self.become("half-open", POLICY.probe_s)
        if permit is not None:
            self.current.add(permit)
        return permit

    @rule(permit=consumes(permits))
    def succeed(self, permit: Permit | None) -> None:
        if permit is None:
            return
        self.breaker.succeeded(permit)
        if permit in self.current:
            self.failures = 0
            if self.state == "half-open":
                self.become("closed", 0)

    @rule(permit=consumes(permits))
    def fail(self, permit: Permit | None) -> None:
        if permit is None:
            return
        self.breaker.failed(permit)
        if permit in self.current:
            self.failures += 1
            if self.state == "half-open" or self.failures >= POLICY.failures:
                self.become("open", POLICY.open_s)

    @rule(permit=consumes(permits))
    def give_back(self, permit: Permit | None) -> None:
        if permit is None:
            return
        self.breaker.release(permit)
        if permit in self.current and self.state == "half-open":
            self.until = self.clock.now

    @invariant()
    def breaker_agrees_with_the_model(self) -> None:
        ready_for_a_probe = self.state == "open" and self.clock.now >= self.until
        assert self.breaker.state == ("half-open" if ready_for_a_probe else self.state)


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
