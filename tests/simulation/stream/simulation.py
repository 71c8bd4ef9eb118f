"""The stream side: Kafka to the pages of many viewers, through several replicas."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from tests.simulation.runner import Failure, Plan, Step
from tests.simulation.stream import install, plan, world
from tests.simulation.stream.mutants import MUTANTS


class Stream:
    """See tests.simulation.runner.Side."""

    name = "stream"
    mutants: Mapping[str, str] = {name: what for name, (what, _) in MUTANTS.items()}

    def plan(self, rng: random.Random) -> Plan:
        return plan.random_plan(rng)

    def play(self, plan: Plan) -> Failure | None:
        return world.play(plan)

    def simpler(self, step: Step) -> Sequence[Step]:
        return plan.simpler(step)

    def simpler_setups(self, setup: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return plan.simpler_setups(setup)

    @contextmanager
    def installed(self, mutant: str | None = None) -> Iterator[None]:
        with install.installed(), MUTANTS[mutant][1]() if mutant else nullcontext():
            yield


SIDE = Stream()
