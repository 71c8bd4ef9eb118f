"""Where the files of one stack are."""

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DEFAULT_HOME = PROJECT_ROOT / ".local"


@dataclass(frozen=True)
class Paths:
    """All files of one stack. Nothing is written outside `home` except the cache of Kafka's jars."""

    home: Path

    @property
    def env(self) -> Path:
        return self.home / "env"

    @property
    def lock(self) -> Path:
        return self.home / "lock"

    @property
    def ports(self) -> Path:
        return self.home / "ports.json"

    @property
    def revisions(self) -> Path:
        return self.run / "revisions.json"

    @property
    def password(self) -> Path:
        return self.home / "password"

    @property
    def secrets(self) -> Path:
        """The folder of the roles' passwords: a folder for each role, as the migrator expects it."""
        return self.home / "secrets"

    @property
    def postgres(self) -> Path:
        return self.home / "postgres"

    @property
    def kafka(self) -> Path:
        return self.home / "kafka"

    @property
    def kafka_zookeeper(self) -> Path:
        """The folder of the brokers that keep their metadata in ZooKeeper, and of the ensemble."""
        return self.home / "kafka-zookeeper"

    @property
    def publisher(self) -> Path:
        """The file that remembers the PUBLISHER of the last start."""
        return self.home / "publisher"

    @property
    def projectors(self) -> Path:
        """The file that remembers the PROJECTORS of the last start."""
        return self.home / "projectors"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def heartbeat(self) -> Path:
        return self.run / "relay.heartbeat"

    @property
    def connector_heartbeat(self) -> Path:
        return self.run / "connector.heartbeat"

    @property
    def socket_note(self) -> Path:
        """The file that holds the path of supervisord's socket."""
        return self.run / "socket"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def create_folders(self) -> None:
        for folder in (self.home, self.run, self.logs, self.kafka):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home.chmod(0o700)  # the first start of a clone has made it for its virtual environment


def write_private(path: Path, text: str) -> None:
    """Write a file atomically. It is readable by its owner only, from its first byte on."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    part.replace(path)
