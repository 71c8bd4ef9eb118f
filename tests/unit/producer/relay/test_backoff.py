from producer.relay.backoff import Backoff


def test_each_pause_is_longer_up_to_a_limit() -> None:
    backoff = Backoff(first_s=0.5, longest_s=3.0, rand=lambda: 1.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_no_pause_is_nothing_and_none_is_in_step() -> None:
    assert Backoff(first_s=1.0, rand=lambda: 0.0).next_s() == 0.1
    assert Backoff(first_s=1.0, rand=lambda: 0.5).next_s() == 0.55


def test_many_tries_do_not_overflow() -> None:
    backoff = Backoff(rand=lambda: 1.0)
    assert [backoff.next_s() for _ in range(2000)][-1] == 3.0
