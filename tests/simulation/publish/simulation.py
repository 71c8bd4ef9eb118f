"""The publish side: from an order's transaction to its event in Kafka, through shops, relays and operators."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from tests.simulation.publish import install, plan, world
from tests.simulation.publish.mutants import MUTANTS
from tests.simulation.runner import Failure, Plan, Step


class Publish:
    """See tests.simulation.runner.Side."""

    name = "publish"
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


SIDE = Publish()
