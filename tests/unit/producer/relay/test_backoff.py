from producer.relay.backoff import Backoff


def test_backoff_grows_up_to_its_limit_and_starts_again_after_reset() -> None:
    backoff = Backoff(first_s=0.5, longest_s=3.0, rand=lambda: 1.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_backoff_is_at_least_a_tenth_and_has_jitter() -> None:
    assert Backoff(first_s=1.0, rand=lambda: 0.0).next_s() == 0.1
    assert Backoff(first_s=1.0, rand=lambda: 0.5).next_s() == 0.55


def test_backoff_does_not_overflow_after_many_attempts() -> None:
    backoff = Backoff(rand=lambda: 1.0)
    assert [backoff.next_s() for _ in range(2000)][-1] == 3.0
