"""The settings and the command of a Kafka Connect worker, which runs Debezium."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stack.kafka.broker import LOGGING
from local_stack.kafka.java import Java
from local_stack.paths import write_private

# Like the brokers, with the heap of a worker and one connector.
JVM_OPTIONS = (
    *("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    *("-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"),
)
INTERNAL_TOPICS = ("config", "offset", "status")
PLUGINS = "plugins"
ALLOWED_PATHS = "config.providers.directory.param.allowed.paths"
# Kafka would split the path of a folder at a comma, and the name of a password at a colon.
PLAIN = re.compile(r"[A-Za-z0-9/._ +@-]+")
# Of any other home, from the worker's folder.
RELATIVE = Path("../../secrets/connect")

# docker-compose.yml says the same to the worker in its container.
SETTINGS = {
    "offset.storage.partitions": "3",
    "status.storage.partitions": "1",
    # Whole transactions: after a kill an event is in Kafka once, or not at all and sent again.
    "exactly.once.source.support": "enabled",
    # Nobody but the migrator and `producer.topics` makes a topic for orders.
    "topic.creation.enable": "false",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    # Passwords are in files.
    "config.providers": "directory",
    "config.providers.directory.class": "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    # There is one worker: nobody is waited for.
    "scheduled.rebalance.max.delay.ms": "0",
    "plugin.discovery": "service_load",
}


@dataclass(frozen=True)
class Worker:
    """The one worker: its own port, the addresses of the brokers, and the name of its cluster.

    passwords: the folder of the files that a configuration may name. Whoever reaches the worker's REST interface can
    have it read a file and tell in an error what is in it: any file of this user, if that is None or no plain path."""

    port: int
    brokers: Sequence[str]
    name: str = "connect"
    passwords: Path | None = None

    def properties(self) -> dict[str, str]:
        replicas = str(len(self.brokers))
        return {
            **SETTINGS,
            "group.id": self.name,
            **{f"{topic}.storage.topic": f"{self.name}-{topic}" for topic in INTERNAL_TOPICS},
            **{f"{topic}.storage.replication.factor": replicas for topic in INTERNAL_TOPICS},
            "bootstrap.servers": ",".join(self.brokers),
            "listeners": f"http://127.0.0.1:{self.port}",
            # Relative to the worker's own folder: Kafka would split an absolute path at a comma.
            "plugin.path": PLUGINS,
            **({ALLOWED_PATHS: str(self.passwords)} if self.passwords and is_plain(self.passwords) else {}),
        }


def is_plain(path: Path) -> bool:
    """Return whether Kafka's settings can hold this path."""
    return PLAIN.fullmatch(str(path)) is not None


def password_folder(folder: Path) -> Path:
    """Return how a configuration names the folder of the passwords."""
    return folder if is_plain(folder) else RELATIVE


def write_configuration(folder: Path, plugins: Path, worker: Worker) -> None:
    """Write all files that the worker needs to start in this folder. plugins: the folder of all plugins' folders."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = "".join(f"{key}={value}\n" for key, value in worker.properties().items())
    write_private(folder / "connect.properties", settings)
    write_private(folder / "log4j2.properties", LOGGING)
    link = folder / PLUGINS
    link.unlink(missing_ok=True)
    link.symlink_to(plugins)


def command(java: Java, jars: Sequence[Path]) -> list[str]:
    """Return the command line of the worker, to be run in its folder."""
    return [
        *("/usr/bin/env", "LC_ALL=C.UTF-8", f"CLASSPATH={':'.join(map(str, jars))}"),
        *(str(java.executable), *JVM_OPTIONS),
        "-Dlog4j2.configurationFile=log4j2.properties",
        *("org.apache.kafka.connect.cli.ConnectDistributed", "connect.properties"),
    ]
