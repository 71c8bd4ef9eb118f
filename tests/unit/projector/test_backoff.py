from projector.backoff import Backoff, BackoffPolicy

POLICY = BackoffPolicy(first_s=0.5, longest_s=3.0)


def test_limits_double_up_to_the_longest() -> None:
    assert [POLICY.limit_s(attempt) for attempt in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert POLICY.limit_s(10_000) == 3.0


def test_pauses_are_jittered_below_the_limit_and_begin_again_after_a_success() -> None:
    backoff = Backoff(POLICY, rand=lambda: 1.0)
    assert [backoff.next_s() for _ in range(3)] == [0.5, 1.0, 2.0]
    backoff.reset()
    assert backoff.next_s() == 0.5
    assert Backoff(POLICY, rand=lambda: 0.0).next_s() == 0.05
