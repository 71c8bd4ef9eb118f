"""The settings and the command of a Kafka broker, which is a KRaft controller as well.

What holds without KRaft, too, zookeeper_broker.py takes from here."""

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stack.kafka.java import Java
from local_stack.paths import write_private

# Small and quick to start. The C1 compiler alone uses less CPU than C2 on a laptop that runs all services at
# once. With even less heap than this, three brokers took 50,000 messages of 600 bytes a second. A broker that
# runs out of heap should exit rather than limp on: supervisord restarts it.
JVM_OPTIONS = (
    *("-Xms48m", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    *("-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"),
)

# A dead broker is noticed within 3 s (by default: brokers 9 s, followers 30 s, controllers 2 s).
DEAD_AFTER_MS = 3000

# Whoever keeps the metadata.
SETTINGS = {
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "unclean.leader.election.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    # Kafka's default of 128 MiB does not fit into a small heap.
    "log.cleaner.dedupe.buffer.size": str(4 << 20),
    "replica.lag.time.max.ms": str(DEAD_AFTER_MS),
    # A broker that is back leads its partitions again within seconds (by default: within 5 minutes). Until then one
    # broker does the work of all: POST to browser took p99 70 ms instead of 16 after every restart.
    "leader.imbalance.check.interval.seconds": "2",
    # Readers wait behind the transaction of a Kafka Connect that was killed. How often one is looked for that is past
    # its time (by default: every 10 s).
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # An idle broker takes a third less CPU than with half a second for this and for metadata.max.idle.interval.ms: how
    # long a follower's question for more waits when there is nothing, and how often a controller writes a record that
    # says nothing.
    "replica.fetch.wait.max.ms": "1500",
}

KRAFT = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": str(DEAD_AFTER_MS),
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.election.backoff.max.ms": "500",
    "metadata.max.idle.interval.ms": "5000",
}
INTERNAL_TOPICS = ("offsets.topic", "transaction.state.log")

LOGGING = """\
rootLogger.level=INFO
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %m (%c)%n
"""


@dataclass(frozen=True)
class Node:
    """One node of the cluster, and the ports of all brokers and controllers by node id, from 1."""

    node_id: int
    brokers: Sequence[int]
    controllers: Sequence[int]

    def properties(self) -> dict[str, str]:
        voters = (f"{i}@127.0.0.1:{port}" for i, port in enumerate(self.controllers, 1))
        broker, controller = self.brokers[self.node_id - 1], self.controllers[self.node_id - 1]
        return {
            **SETTINGS,
            **KRAFT,
            **replication(len(self.brokers), (*INTERNAL_TOPICS, "share.coordinator.state.topic")),
            "node.id": str(self.node_id),
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
            # Relative to the broker's own folder: Kafka would split an absolute path at a comma.
            "log.dirs": "data",
        }


def replication(replicas: int, internal_topics: Sequence[str]) -> dict[str, str]:
    """Return the settings with which everything has so many replicas, and needs all but one of them in sync."""
    in_sync = str(max(1, replicas - 1))
    return {
        **{f"{topic}.replication.factor": str(replicas) for topic in ("default", *internal_topics)},
        **{f"{topic}.min.isr": in_sync for topic in internal_topics[1:]},
        "min.insync.replicas": in_sync,
    }


def write_configuration(folder: Path, cluster_id: str, node: Node) -> None:
    """Write all files that a broker needs to start in this folder; its data stays."""
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = "".join(f"{key}={value}\n" for key, value in node.properties().items())
    write_private(folder / "server.properties", settings)
    write_private(folder / "log4j2.properties", LOGGING)
    # With fixed voters, `kafka-storage format` would write this file only, and start a JVM to do so.
    meta = data / "meta.properties"
    if not meta.exists():
        text = f"version=1\ncluster.id={cluster_id}\nnode.id={node.node_id}\ndirectory.id={random_uuid()}\n"
        write_private(meta, text)


def load_or_create_cluster_id(path: Path) -> str:
    if not path.exists():
        write_private(path, random_uuid() + "\n")
    return path.read_text().strip()


def random_uuid() -> str:
    """Return a random Kafka Uuid: 22 characters, not one of the reserved ones, without a leading dash."""
    return base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")


def command(java: Java, jars: Sequence[Path], extra: Sequence[str] = ()) -> list[str]:
    """Return the command line of a broker, to be run in its folder.

    The order of the jars is fixed because the CDS archive demands it. The locale is UTF-8 because Java cannot
    open every path without it."""
    return [
        *("/usr/bin/env", "LC_ALL=C.UTF-8", f"CLASSPATH={':'.join(map(str, jars))}"),
        *(str(java.executable), *JVM_OPTIONS, *extra),
        "-Dlog4j2.configurationFile=log4j2.properties",
        *("kafka.Kafka", "server.properties"),
    ]
