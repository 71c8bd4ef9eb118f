import pytest

from bench.fanout.rates import Load


def test_rate_of_single_events() -> None:
    assert Load.parse(1000, "20") == Load(1000, 20)


def test_rate_in_batches() -> None:
    load = Load.parse(1000, "1000/50")
    assert load == Load(1000, 1000, 50)
    assert str(load) == "1,000 x 1,000/s in 50s"


def test_no_rate() -> None:
    with pytest.raises(ValueError, match="fast"):
        Load.parse(1000, "fast")
