"""A few hundred seeds of the stream side, and proof that it can see: `make simulate SEEDS=100000` plays more."""

import random
from collections.abc import Iterator

import pytest

from tests.simulation import runner
from tests.simulation.stream.simulation import SIDE

SEEDS = 300
# The first seed that finds each mutant. After a change of the plans: python -m tests.simulation --mutants stream
FOUND_BY = {
    "C1": 37,
    "C2": 57,
    "C3-resume": 763,
    "C3-history": 124,
    "C4": 12,
    "C5": 17,
    "C6": 112,
    "C12": 44,
    "C13": 110,
    "C14": 99,
    "P5": 40,
    "silent-reader": 3,
    "N1": 22,
    "N6": 23,
    "N8": 242,
}


@pytest.fixture
def installed() -> Iterator[None]:
    with SIDE.installed():
        yield


@pytest.mark.usefixtures("installed")
def test_no_interleaving_of_the_stream_side_breaks_a_promise() -> None:
    found = runner.find(SIDE, range(SEEDS))
    assert found is None, runner.describe(SIDE, runner.shrink(SIDE, found, 500))


def test_every_mutant_has_a_seed() -> None:
    assert FOUND_BY.keys() == SIDE.mutants.keys()


@pytest.mark.parametrize("mutant", FOUND_BY)
def test_mutant_is_found(mutant: str) -> None:
    assert runner.mutant_seeds(SIDE, mutant, [FOUND_BY[mutant]])


def test_the_same_seed_fails_in_the_same_way_again() -> None:
    with SIDE.installed("C4"):
        plan = SIDE.plan(random.Random(FOUND_BY["C4"]))
        assert SIDE.play(plan) == SIDE.play(plan)


def test_failure_is_shrunk_to_a_short_story() -> None:
    with SIDE.installed("C4"):
        found = runner.find(SIDE, [FOUND_BY["C4"]])
        assert found
        shrunk = runner.shrink(SIDE, found, 1000)
    assert len(shrunk.plan.steps) <= 8
    text = runner.describe(SIDE, shrunk, "C4")
    assert f"--seed {FOUND_BY['C4']} --mutant C4 stream" in text
    assert text.endswith(shrunk.failure.problem)
