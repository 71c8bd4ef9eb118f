"""Plays seeds, shrinks what fails to a short story, and prints it.

    python -m tests.simulation --seeds 1000 [--seed 17] [--mutant NAME] [--mutants] [stream|publish]

A side (`tests.simulation.stream`, `tests.simulation.publish`) has a module `simulation` with an object `SIDE`."""

import argparse
import importlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

SIDES = ("stream", "publish")
MUTANT_SEEDS = 2000
SHRINK_RUNS = 3000
BROKEN = "the simulation is broken"

Step = tuple[Any, ...]


class Violation(Exception):
    """Something that was promised does not hold."""


@dataclass(frozen=True)
class Plan:
    """Everything that a run depends on. setup: sizes and counts. steps: what happens, and who runs for how long."""

    setup: Mapping[str, Any]
    steps: Sequence[Step]


@dataclass(frozen=True)
class Failure:
    """What went wrong, and what led to it."""

    problem: str
    story: Sequence[str]


class Side(Protocol):
    """One half of the simulation. A plan must be playable whatever steps are taken out of it."""

    name: str
    mutants: Mapping[str, str]

    def plan(self, rng: random.Random) -> Plan:
        """Return a random plan."""

    def play(self, plan: Plan) -> Failure | None:
        """Play a plan; the same plan always ends the same."""

    def simpler(self, step: Step) -> Sequence[Step]:
        """Return simpler steps that may take a step's place, the simplest first."""

    def simpler_setups(self, setup: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Return simpler setups."""

    def installed(self, mutant: str | None) -> AbstractContextManager[None]:
        """Put the fakes, and a known mistake, in place."""


@dataclass(frozen=True)
class Found:
    """A seed that fails."""

    seed: int
    plan: Plan
    failure: Failure


def load(name: str) -> Side:
    """Return a side by its name. Raises ImportError when there is none yet."""
    side: Side = importlib.import_module(f"tests.simulation.{name}.simulation").SIDE
    return side


def find(side: Side, seeds: Sequence[int]) -> Found | None:
    """Play seeds until one fails."""
    for seed in seeds:
        plan = side.plan(random.Random(seed))
        if failure := side.play(plan):
            return Found(seed, plan, failure)
    return None


def shrink(side: Side, found: Found, runs: int = SHRINK_RUNS) -> Found:
    """Take out of a failing plan what it does not need to fail in the same kind of way."""
    kind = _kind(found.failure.problem)
    best = found
    left = runs

    def fails(plan: Plan) -> bool:
        nonlocal best, left
        left -= 1
        failure = side.play(plan)
        if failure is None or _kind(failure.problem) != kind:
            return False
        best = replace(best, plan=plan, failure=failure)
        return True

    while left > 0:
        before = best.plan
        _drop_steps(lambda: best.plan, fails, lambda: left > 0)
        for setup in side.simpler_setups(best.plan.setup):
            if left > 0 and setup != best.plan.setup:
                fails(replace(best.plan, setup=setup))
        for index in range(len(best.plan.steps)):
            for step in side.simpler(best.plan.steps[index]):
                steps = [*best.plan.steps]
                steps[index] = step
                if left > 0 and fails(replace(best.plan, steps=steps)):
                    break
        if best.plan == before:
            break
    return best


def _drop_steps(plan: Callable[[], Plan], fails: Callable[[Plan], bool], goes_on: Callable[[], bool]) -> None:
    """Take out runs of steps, from long ones to single ones."""
    size = max(1, len(plan().steps) // 2)
    while size:
        end = len(plan().steps)
        while end > 0 and goes_on():
            steps = plan().steps
            start = max(0, end - size)
            fails(replace(plan(), steps=[*steps[:start], *steps[end:]]))
            end = start
        size //= 2


def _kind(problem: str) -> str:
    """Return a problem without its numbers and names, so that shrinking does not slip to another one."""
    return " ".join(word for word in problem.split() if word.isalpha() and word.islower())


def describe(side: Side, found: Found, mutant: str | None = None) -> str:
    """Return a failure as text: how to play it again, its story, and what went wrong."""
    again = f"python -m tests.simulation --seed {found.seed}" + (f" --mutant {mutant}" if mutant else "")
    story = "\n".join(f"  {line}" for line in found.failure.story)
    return f"{side.name}: seed {found.seed} fails ({again} {side.name})\n{story}\n  ✗ {found.failure.problem}"


def mutant_seeds(side: Side, name: str, most: int = MUTANT_SEEDS) -> Found | None:
    """Return the first seed that finds a mutant. Raises RuntimeError when it is the simulation that fails."""
    with side.installed(name):
        found = find(side, range(most))
    if found is not None and found.failure.problem.startswith(BROKEN):
        raise RuntimeError(found.failure.problem)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return 1 when something was found."""
    parser = argparse.ArgumentParser("python -m tests.simulation", description="Finds bugs of interleaving.")
    parser.add_argument("side", nargs="?", choices=SIDES, help="both, if none is named")
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one only, and tell its story")
    parser.add_argument("--mutant", help="put a known mistake into the product first")
    parser.add_argument("--mutants", action="store_true", help="tell how many seeds each mutant needs")
    parser.add_argument("--no-shrink", action="store_true", help="tell the whole story of a failure")
    options = parser.parse_args(arguments)
    failed = False
    for name in [options.side] if options.side else SIDES:
        try:
            side = load(name)
        except ModuleNotFoundError as exc:
            print(f"{name}: {exc}")
            continue
        failed |= _table(side) if options.mutants else _play(side, options)
    return int(failed)


def _play(side: Side, options: argparse.Namespace) -> bool:
    seeds = (
        [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    )
    began = time.monotonic()
    with side.installed(options.mutant):
        found = find(side, seeds)
        if found is not None and not options.no_shrink:
            found = shrink(side, found)
    took = time.monotonic() - began
    if found is None:
        print(f"{side.name}: {len(seeds)} seeds, nothing found, {took:.1f} s")
        return False
    print(describe(side, found, options.mutant))
    return True


def _table(side: Side) -> bool:
    """Print how many seeds each mutant needs; return whether one was not found."""
    missed = False
    print("| Mutant | What it is | Found by seed | How |\n|---|---|---|---|")
    for name, what in side.mutants.items():
        found = mutant_seeds(side, name)
        missed |= found is None
        how = found.failure.problem if found else f"not within {MUTANT_SEEDS}"
        print(f"| {name} | {what} | {found.seed if found else '-'} | {how} |", flush=True)
    return missed
