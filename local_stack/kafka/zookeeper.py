"""The settings and the command of a ZooKeeper: one of the three that keep the metadata of Kafka 3.9."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stack.kafka.java import Java
from local_stack.paths import write_private

JVM_OPTIONS = (
    *("-Xms32m", "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    *("-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"),
)

# docker-compose.yml of deploy/zookeeper says the same.
SETTINGS = {
    # All other times count in ticks. A session may be as short as two of them, and the brokers' is 3 s.
    "tickTime": "500",
    # How long a follower may take for its first copy, and how far behind its leader it may be: 10 s and 3 s.
    "initLimit": "20",
    "syncLimit": "6",
    # Commands in plain text are for health checks, and none of them changes anything. The page for operators is off.
    "4lw.commands.whitelist": "ruok,srvr,mntr",
    "admin.enableServer": "false",
    # Three copies of everything, the older ones deleted every hour.
    "autopurge.snapRetainCount": "3",
    "autopurge.purgeInterval": "1",
}

# Kafka 3.9 and ZooKeeper 3.8 log with the successor of log4j 1.
LOGGING = """\
log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %p %m (%c)%n
"""


@dataclass(frozen=True)
class Server:
    """One ZooKeeper, and the ports of all by their numbers, from 1: for clients, for followers and for elections."""

    number: int
    clients: Sequence[int]
    peers: Sequence[int]
    elections: Sequence[int]

    def properties(self) -> dict[str, str]:
        addresses = enumerate(zip(self.peers, self.elections, strict=True), 1)
        return {
            **SETTINGS,
            # Relative to the server's own folder.
            "dataDir": "./data",
            "clientPort": str(self.clients[self.number - 1]),
            "clientPortAddress": "127.0.0.1",
            **{f"server.{number}": f"127.0.0.1:{peer}:{election}" for number, (peer, election) in addresses},
        }


def write_configuration(folder: Path, server: Server) -> None:
    """Write all files that a ZooKeeper needs to start in this folder; its data stays."""
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = "".join(f"{key}={value}\n" for key, value in server.properties().items())
    write_private(folder / "zookeeper.properties", settings)
    write_private(folder / "log4j.properties", LOGGING)
    write_private(data / "myid", f"{server.number}\n")


def command(java: Java, jars: Sequence[Path]) -> list[str]:
    """Return the command line of a ZooKeeper, to be run in its folder."""
    return [
        *("/usr/bin/env", "LC_ALL=C.UTF-8", f"CLASSPATH={':'.join(map(str, jars))}"),
        *(str(java.executable), *JVM_OPTIONS),
        "-Dlog4j.configuration=file:log4j.properties",
        *("org.apache.zookeeper.server.quorum.QuorumPeerMain", "zookeeper.properties"),
    ]
