"""The publish side: from an order's transaction to its event in Kafka, through shops, relays and operators."""

from tests.simulation.publish import install, plan
from tests.simulation.publish.mutants import MUTANTS
from tests.simulation.publish.world import World
from tests.simulation.runner import BROKEN, Side

SIDE = Side(
    name="publish",
    known_mistakes=MUTANTS,
    plan=plan.random_plan,
    new_world=World,
    playing=install.playing,
    put_fakes=install.installed,
    simpler=plan.simpler,
    simpler_setups=plan.simpler_setups,
    unexpected=BROKEN,
)
