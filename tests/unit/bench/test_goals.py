from bench.fanout.ceiling import Ceiling
from bench.fanout.goals import goals, ratio
from bench.fanout.laggards import Lagged
from bench.fanout.newcomers import Welcomed
from bench.fanout.rates import Load, Measured
from bench.fanout.results import Results
from bench.fanout.viewers import Seen

LOAD = Load(1000, 100)
WHOLE = Seen(1000, 0, 0, 0, 0, 0, 1.0, 2.0, 0.1)
SLOW = Seen(1000, 0, 0, 0, 0, 0, 1.0, 1001.0, 0.1)
LATE = Seen(900, 0, 0, 100, 0, 0, 1.0, 2.0, 0.1)


def measured(*cpu_us: float) -> list[Measured]:
    return [Measured(each, 1, 2, 0, 100) for each in cpu_us]


def verdicts(results: Results) -> list[bool]:
    return [goal.is_met for goal in goals(results)]


def test_rounds_are_compared_with_those_of_the_same_turn() -> None:
    share = ratio({"ours": measured(1, 2, 9), "nchan": measured(2, 4, 10)})
    assert share is not None
    assert (share.median, share.least, share.most) == (0.5, 0.5, 0.9)


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert goals(Results()) == []
    assert goals(Results(rates={LOAD: {"ours": measured(1), "nchan": []}})) == []
    assert goals(Results(ceiling={"ours": Ceiling(1000, 500)})) == []


def test_cost() -> None:
    assert verdicts(Results(rates={LOAD: {"ours": measured(3), "nchan": measured(4)}})) == [True]
    assert verdicts(Results(rates={LOAD: {"ours": measured(4), "nchan": measured(4)}})) == [False]


def test_highest_rate() -> None:
    nchan = Ceiling(1000, 100)
    assert verdicts(Results(ceiling={"ours": Ceiling(1000, 300), "nchan": nchan})) == [True]
    assert verdicts(Results(ceiling={"ours": Ceiling(1000, 299), "nchan": nchan})) == [False]


def test_memory_at_each_number_of_viewers() -> None:
    results = Results(memory_kib={"ours": {1000: 1.0, 10_000: 3.0}, "nchan": {1000: 10.0, 10_000: 10.0}})
    assert verdicts(results) == [True, False]


def test_greeting_counts_only_when_the_crowd_is_served() -> None:
    assert verdicts(Results(newcomers={"ours": Welcomed(2, 99, 500, WHOLE)})) == [True]
    assert verdicts(Results(newcomers={"ours": Welcomed(2, 101, 500, WHOLE)})) == [False]
    assert verdicts(Results(newcomers={"ours": Welcomed(2, 99, 500, LATE)})) == [False]
    assert verdicts(Results(newcomers={"ours": Welcomed(2, 99, 500, SLOW)})) == [False]


def test_laggards_take_what_the_kernel_keeps_for_them_too() -> None:
    assert verdicts(Results(laggards={"ours": Lagged(100, 412, WHOLE)})) == [True]
    assert verdicts(Results(laggards={"ours": Lagged(101, 412, WHOLE)})) == [False]
