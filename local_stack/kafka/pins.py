"""The pinned lists of jars: `group:artifact:version sha256:HEX` on each line."""

from dataclasses import dataclass
from pathlib import Path

VERSION = "4.3.1"
DEBEZIUM_VERSION = "3.7.0"
# The last line of Kafka that can keep its metadata in ZooKeeper, with the ZooKeeper that it is made for.
ZOOKEEPER_VERSION = "3.9.2"


@dataclass(frozen=True)
class PinList:
    """What is made of the jars of one list, as it is told to people, and the file of the list."""

    name: str
    file: Path


KAFKA = PinList("Kafka", Path(__file__).with_name(f"kafka-{VERSION}.pins"))
CONNECT = PinList("Kafka Connect", Path(__file__).with_name(f"connect-{VERSION}.pins"))
ZOOKEEPER = PinList("Kafka with ZooKeeper", Path(__file__).with_name(f"kafka-{ZOOKEEPER_VERSION}.pins"))
DEBEZIUM = PinList("Debezium", Path(__file__).with_name(f"debezium-postgres-{DEBEZIUM_VERSION}.pins"))


@dataclass(frozen=True)
class Pin:
    """One jar in a Maven repository, with the checksum that its content must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    @classmethod
    def parse(cls, line: str) -> "Pin":
        coordinates, digest = line.split()
        group, artifact, version = coordinates.split(":")
        return cls(group, artifact, version, digest.removeprefix("sha256:"))

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def repository_path(self) -> str:
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"


def load(pins: PinList = KAFKA) -> list[Pin]:
    """Read all pins, in the order of the class path."""
    return [Pin.parse(line) for line in pins.file.read_text().splitlines()]
