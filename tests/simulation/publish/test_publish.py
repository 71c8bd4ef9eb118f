"""The publish side's simulation finds nothing, and finds each known mistake."""

import pytest

from tests.simulation.publish.simulation import SIDE
from tests.simulation.runner import describe, find, mutant_seeds, shrink

SEEDS = 200


def test_publish_simulation_finds_nothing() -> None:
    with SIDE.installed():
        found = find(SIDE, range(SEEDS))
        if found is not None:
            pytest.fail(describe(SIDE, shrink(SIDE, found)), pytrace=False)


@pytest.mark.parametrize("mutant", SIDE.mutants)
def test_publish_simulation_finds_mutant(mutant: str) -> None:
    assert mutant_seeds(SIDE, mutant) is not None, f"{mutant} is not found: {SIDE.mutants[mutant]}"


def test_publish_simulation_plays_a_seed_the_same_way_twice() -> None:
    with SIDE.installed("earliest-due"):
        first, second = (find(SIDE, range(100)) for _ in range(2))
    assert first is not None
    assert first == second
