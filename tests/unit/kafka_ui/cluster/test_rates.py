from kafka_ui.cluster.rates import LONGEST_S, Rates

PLACE = ("orders", 0)


def test_rate_is_told_from_the_second_look_on() -> None:
    rates = Rates()
    assert rates.observe({PLACE: 100}, 0) == {}
    assert rates.observe({PLACE: 110}, 0.5) == {}
    assert rates.observe({PLACE: 140}, 2) == {PLACE: 20}


def test_look_of_long_ago_does_not_count() -> None:
    rates = Rates()
    rates.observe({PLACE: 0}, 0)
    assert rates.observe({PLACE: 1000}, LONGEST_S + 1) == {}


def test_rate_is_never_negative_and_only_of_partitions_seen_before() -> None:
    rates = Rates()
    rates.observe({PLACE: 100}, 0)
    assert rates.observe({PLACE: 50, ("orders", 1): 9}, 2) == {PLACE: 0}
