"""A few hundred seeds of the stream side, and proof that it can see: `make simulate SEEDS=100000` plays more."""

import random
from collections.abc import Iterator

import pytest

from tests.simulation import runner
from tests.simulation.stream.simulation import SIDE

SEEDS = 300
# The first seed that finds each mutant. After a change of the plans: python -m tests.simulation --mutants stream
FOUND_BY = {
    "C1": 43,
    "C2": 22,
    "C3-resume": 160,
    "C3-history": 206,
    "C4": 66,
    "C5": 39,
    "C6": 721,
    "C12": 1,
    "C13": 12,
    "C14": 239,
    "P5": 89,
    "silent-reader": 9,
    "N1": 1,
    "N6": 20,
    "N8": 11,
    "R1": 1,
    "R2": 7,
    "R3": 115,
    "R4": 1,
    "R5": 554,
    "signpost-tail": 33,
    "signpost-replay": 14,
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
