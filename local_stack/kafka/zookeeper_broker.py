"""The settings and the command of a Kafka 3.9 broker that keeps its metadata in ZooKeeper."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stack.kafka.broker import DEAD_AFTER_MS, INTERNAL_TOPICS, JVM_OPTIONS, SETTINGS, replication
from local_stack.kafka.java import Java
from local_stack.kafka.zookeeper import LOGGING
from local_stack.paths import write_private

ZOOKEEPER = {
    # Its session ends with the broker's registration, and the controller gives its partitions to others.
    "zookeeper.session.timeout.ms": str(DEAD_AFTER_MS),
    # A broker that starts while the ensemble elects its leader waits for it.
    "zookeeper.connection.timeout.ms": "18000",
    # When all stop, the last ones ask in vain for others to lead their partitions, three times. They should end before
    # they are killed (by default 5 s lie between two attempts): a session that is not ended keeps the broker's next
    # start waiting.
    "controlled.shutdown.retry.backoff.ms": "300",
}


@dataclass(frozen=True)
class Broker:
    """One broker, the ports of all brokers by their ids, from 1, and the addresses of the ensemble."""

    broker_id: int
    brokers: Sequence[int]
    ensemble: Sequence[str]

    def properties(self) -> dict[str, str]:
        return {
            **SETTINGS,
            **ZOOKEEPER,
            **replication(len(self.brokers), INTERNAL_TOPICS),
            "broker.id": str(self.broker_id),
            "zookeeper.connect": ",".join(self.ensemble),
            "listeners": f"PLAINTEXT://127.0.0.1:{self.brokers[self.broker_id - 1]}",
            "log.dirs": "data",
        }


def write_configuration(folder: Path, broker: Broker) -> None:
    """Write all files that a broker needs to start in this folder; its data stays. The id of the cluster comes from
    ZooKeeper: a broker that finds another one there than in its data does not start."""
    (folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = "".join(f"{key}={value}\n" for key, value in broker.properties().items())
    write_private(folder / "server.properties", settings)
    write_private(folder / "log4j.properties", LOGGING)


def command(java: Java, jars: Sequence[Path]) -> list[str]:
    """Return the command line of a broker, to be run in its folder."""
    return [
        *("/usr/bin/env", "LC_ALL=C.UTF-8", f"CLASSPATH={':'.join(map(str, jars))}"),
        *(str(java.executable), *JVM_OPTIONS),
        "-Dlog4j.configuration=file:log4j.properties",
        *("kafka.Kafka", "server.properties"),
    ]
