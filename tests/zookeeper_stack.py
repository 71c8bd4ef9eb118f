"""The native stack whose Kafka keeps its metadata in ZooKeeper."""

from local_stack import addresses
from local_stack.lifecycle.health import LEADS, CheckResult, HealthChecks
from local_stack.paths import Paths
from local_stack.services import ZOOKEEPERS
from tests.stack import Stack


class ZooKeeperStack(Stack):
    """`./start_project.sh --native --zookeeper` with a home of its own."""

    optional = frozenset(ZOOKEEPERS)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "KAFKA_METADATA": "zookeeper"}

    def ensemble(self) -> dict[str, CheckResult]:
        """Return what each ZooKeeper says of itself."""
        paths = Paths(self.home)
        return dict(HealthChecks(addresses.load(paths), paths).run(ZOOKEEPERS))

    def leader(self) -> str:
        """Return the ZooKeeper that leads the ensemble. Raises AssertionError where none does."""
        ensemble = self.ensemble()
        leaders = [name for name, result in ensemble.items() if result.detail == LEADS]
        assert len(leaders) == 1, ensemble
        return leaders[0]
