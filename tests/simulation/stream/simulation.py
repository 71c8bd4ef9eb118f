"""The stream side: Kafka to the pages of many viewers, through several replicas."""

from tests.simulation.runner import Side
from tests.simulation.stream import install, plan
from tests.simulation.stream.mutants import MUTANTS
from tests.simulation.stream.world import World

SIDE = Side(
    name="stream",
    known_mistakes=MUTANTS,
    plan=plan.random_plan,
    new_world=World,
    playing=install.playing,
    put_fakes=install.installed,
    simpler=plan.simpler,
    simpler_setups=plan.simpler_setups,
    unexpected="a thread dies",
)
