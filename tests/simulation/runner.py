"""Plays seeds, shrinks what fails to a short story, and prints it.

    python -m tests.simulation --seeds 1000 [--seed 17] [--mutant NAME] [--mutants] [stream|publish]

A side (`tests.simulation.stream`, `tests.simulation.publish`) has a module `simulation` with an object `SIDE`."""

import argparse
import importlib
import random
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
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


class World(Protocol):
    """A run of one plan. Its play() raises Violation when a promise is broken."""

    story: list[str]

    def play(self, plan: Plan) -> None: ...
    def close(self) -> None: ...


Patch = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Side:
    """One half of the simulation. A plan must be playable whatever steps are taken out of it.

    known_mistakes: of each mutant, what it is, and how it is put back. plan: returns a random plan. new_world: from a
    plan, and whether it tells its story. playing: the fakes' list of the world that is played. simpler: of a step, the
    simpler ones that may take its place, the simplest first; simpler_setups: likewise. unexpected: what an exception
    means that is no Violation.
    """

    name: str
    known_mistakes: Mapping[str, tuple[str, Patch]]
    plan: Callable[[random.Random], Plan]
    new_world: Callable[[Plan, bool], World]
    playing: list[Any]
    put_fakes: Patch
    simpler: Callable[[Step], Sequence[Step]]
    simpler_setups: Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]
    unexpected: str

    @property
    def mutants(self) -> Mapping[str, str]:
        """What each mutant is."""
        return {name: what for name, (what, _) in self.known_mistakes.items()}

    @contextmanager
    def installed(self, mutant: str | None = None) -> Iterator[None]:
        """Put the fakes, and a known mistake, in place."""
        with self.put_fakes(), self.known_mistakes[mutant][1]() if mutant else nullcontext():
            yield

    def play(self, plan: Plan) -> Failure | None:
        """Play a plan; the same plan always ends the same. Only a failure is told, in a second run."""
        problem, _ = self._play(plan, tells=False)
        if problem is None:
            return None
        again, story = self._play(plan, tells=True)
        return Failure(again or f"{problem} (not when it was played again)", story)

    def _play(self, plan: Plan, tells: bool) -> tuple[str | None, list[str]]:
        world = self.new_world(plan, tells)
        self.playing.append(world)
        try:
            world.play(plan)
        except Violation as exc:
            return str(exc), world.story
        except Exception as exc:  # noqa: BLE001  # whatever a thread of the product dies of is a finding
            last = traceback.extract_tb(exc.__traceback__)[-1]
            what = f"{type(exc).__name__}: {exc} ({last.filename}, line {last.lineno})"
            return f"{self.unexpected}: {what}", world.story
        finally:
            world.close()
            self.playing.pop()
        return None, world.story


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


def mutant_seeds(side: Side, name: str, seeds: Sequence[int] = range(MUTANT_SEEDS)) -> Found | None:
    """Return the first seed that finds a mutant.

    Raises RuntimeError when it is the simulation that fails, or a mutant that no longer fits the product."""
    with side.installed(name):
        found = find(side, seeds)
    if found is not None and (problem := found.failure.problem).startswith(
        (BROKEN, f"{side.unexpected}: TypeError", f"{side.unexpected}: AttributeError")
    ):
        raise RuntimeError(problem)
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
