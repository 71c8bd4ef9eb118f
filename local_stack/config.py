"""The settings of the stack, read from the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from local_stack import postgres
from local_stack.errors import StackError
from local_stack.kafka import metadata
from local_stack.paths import Paths, write_private
from local_stack.services import CDC, MORE_PROJECTORS, MOST_PROJECTORS, WEB, ZOOKEEPERS, port_setting

LOOPBACK_HOSTS = "localhost,127.0.0.1,[::1]"
# By default the producer has at most so many workers (its gunicorn.conf.py). Each keeps a connection for NOTIFY and one
# for new orders, beside its pool. What else connects: the relay with its
# pool of 4 and one that listens, the projector with its pools of 9, the migrator, `status`, somebody's psql. Each
# further instance of the projector has a pool as well.
MOST_WORKERS, OWN_CONNECTIONS, OTHER_CONNECTIONS, PROJECTOR_CONNECTIONS = 4, 2, 21, 9


class Settings(BaseSettings):
    """What the environment may change. A port of 0 takes a free one."""

    model_config = SettingsConfigDict(frozen=True)

    producer_port: int = Field(5001, ge=0, le=65535)
    consumer_port: int = Field(5002, ge=0, le=65535)
    projector_port: int = Field(5003, ge=0, le=65535)
    kafka_ui_port: int = Field(8080, ge=0, le=65535)
    kafka_topic: str = "orders"
    publisher: Literal["direct", "relay", "debezium"] = "direct"
    kafka_metadata: metadata.Keeper = "kraft"
    java_home: Path | None = None
    xdg_cache_home: Path = Field(default_factory=lambda: Path.home() / ".cache")
    postgres_fsync: bool = True
    trusted_hosts: str = LOOPBACK_HOSTS
    web_concurrency: int | None = Field(None, ge=1)
    database_pool_size: int = Field(8, ge=1)
    projectors: int = Field(1, ge=1, le=MOST_PROJECTORS)

    @property
    def cache(self) -> Path:
        """The folder of Kafka's jars and its class-data archive, shared by all stacks of this user."""
        return self.xdg_cache_home / "order-stream"

    @property
    def all_trusted_hosts(self) -> str:
        """The hosts of the setting and those of this machine: pages and health checks are asked for there."""
        return ",".join(dict.fromkeys([*LOOPBACK_HOSTS.split(","), *self.trusted_hosts.split(",")]))

    @property
    def cdc(self) -> frozenset[str]:
        """The services that the publisher needs beside those that run always."""
        return frozenset(CDC if self.publisher == "debezium" else ())

    @property
    def more_projectors(self) -> frozenset[str]:
        """The instances of the projector beside the first."""
        return frozenset(MORE_PROJECTORS[: self.projectors - 1])

    @property
    def ensemble(self) -> frozenset[str]:
        """The services that keep Kafka's metadata, where the brokers do not do so themselves."""
        return frozenset(ZOOKEEPERS if self.kafka_metadata == "zookeeper" else ())

    @property
    def optional(self) -> frozenset[str]:
        """The services that these settings ask for beside those that run always."""
        return self.cdc | self.more_projectors | self.ensemble

    def with_metadata_of(self, paths: Paths) -> Self:
        """Return these settings with what keeps the metadata of the data that is there, unless the environment names
        one."""
        if "kafka_metadata" in self.model_fields_set:
            return self
        return self.model_copy(update={"kafka_metadata": metadata.keeper_of(paths)})

    def with_publisher_of(self, paths: Paths) -> Self:
        """Return these settings with the publisher of the last start, unless the environment names one."""
        if "publisher" in self.model_fields_set or not paths.publisher.exists():
            return self
        return self.model_copy(update={"publisher": paths.publisher.read_text().strip()})

    def is_other_publisher(self, paths: Paths) -> bool:
        """Return whether the last start was with another publisher."""
        return paths.publisher.exists() and paths.publisher.read_text().strip() != self.publisher

    def remember_publisher(self, paths: Paths) -> None:
        """Keep the publisher for later commands."""
        write_private(paths.publisher, f"{self.publisher}\n")

    def with_projectors_of(self, paths: Paths) -> Self:
        """Return these settings with the projectors of the last start, unless the environment says how many."""
        if "projectors" in self.model_fields_set or not paths.projectors.exists():
            return self
        return self.with_projectors(int(paths.projectors.read_text()))

    def with_projectors(self, number: int) -> Self:
        """Return these settings with another number of projectors. Raises StackError when there cannot be so many."""
        if not 1 <= number <= MOST_PROJECTORS:
            raise StackError(f"There can be 1 to {MOST_PROJECTORS} projectors, not {number}.")
        changed = self.model_copy(update={"projectors": number})
        changed.check_connections()
        return changed

    def remember_projectors(self, paths: Paths) -> None:
        """Keep the number of projectors for later commands."""
        write_private(paths.projectors, f"{self.projectors}\n")

    def explicit_ports(self) -> dict[str, int]:
        """Return the ports that the environment names, by service."""
        ports = self._ports()
        return {name: port for name, port in ports.items() if port_setting(name) in self.model_fields_set}

    def web_ports(self, last: Mapping[str, int]) -> dict[str, int]:
        """Return the port of each web server: the one that the environment names, else that of the last start,
        else the default."""
        explicit = self.explicit_ports()
        return {name: explicit.get(name, last.get(name, port)) for name, port in self._ports().items()}

    def _ports(self) -> dict[str, int]:
        return {name: getattr(self, port_setting(name)) for name in WEB}

    def check_connections(self) -> None:
        """Raise StackError when the producer's and the projectors' pools are more than PostgreSQL can serve."""
        workers = self.web_concurrency or MOST_WORKERS
        wanted = workers * (self.database_pool_size + OWN_CONNECTIONS) + OTHER_CONNECTIONS
        wanted += (self.projectors - 1) * PROJECTOR_CONNECTIONS
        if wanted > postgres.MAX_CONNECTIONS:
            raise StackError(
                f"WEB_CONCURRENCY={workers}, DATABASE_POOL_SIZE={self.database_pool_size} and "
                f"PROJECTORS={self.projectors} want {wanted} connections, but PostgreSQL has "
                f"{postgres.MAX_CONNECTIONS}: lower one of them."
            )


def load_settings() -> Settings:
    """Read the settings. Raises StackError that names the first invalid one."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise StackError(f"{str(first['loc'][0]).upper()}: {first['msg']}.") from error
    settings.check_connections()
    return settings
