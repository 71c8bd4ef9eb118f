"""How to reach each service from this machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from local_stack import passwords, ports, postgres
from local_stack.paths import Paths
from local_stack.services import (
    BROKERS,
    CONNECT,
    CONSUMER,
    KAFKA_UI,
    MORE_PROJECTORS,
    POSTGRES,
    PRODUCER,
    PROJECTOR,
    ZOOKEEPERS,
)

# Whoever takes PostgreSQL's port while it is down must not be sent a password that can be read.
REQUIRE_AUTH = "scram-sha-256"


@dataclass(frozen=True)
class Addresses:
    """The URLs of the stack, and the address (host:port) of each broker and each ZooKeeper by its name.

    database_url: the owner's, for people. Its parameters are those that every version of psql knows.
    kafka_ui_url, projector_url, connect_url: "" when an older version has started the stack: it had none. Nor had it
    zookeepers. more_projector_urls: of the further instances by name, whether they run or not.
    """

    database_url: str
    brokers: Mapping[str, str]
    producer_url: str
    consumer_url: str
    kafka_ui_url: str
    connect_url: str
    projector_url: str
    more_projector_urls: Mapping[str, str] = field(default_factory=dict)
    zookeepers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, numbers: Mapping[str, int], password: str) -> "Addresses":
        """Build the addresses from the port numbers by name and the database's password."""
        at = {name: f"127.0.0.1:{number}" for name, number in numbers.items()}
        return cls(
            database_url=f"postgresql://{postgres.USER}:{password}@{at[POSTGRES]}/{postgres.DATABASE}",
            brokers={name: at[name] for name in BROKERS},
            producer_url=f"http://{at[PRODUCER]}",
            consumer_url=f"http://{at[CONSUMER]}",
            kafka_ui_url=f"http://{at[KAFKA_UI]}" if KAFKA_UI in at else "",
            connect_url=f"http://{at[CONNECT]}" if CONNECT in at else "",
            projector_url=f"http://{at[PROJECTOR]}" if PROJECTOR in at else "",
            more_projector_urls={name: f"http://{at[name]}" for name in MORE_PROJECTORS if name in at},
            zookeepers={name: at[name] for name in ZOOKEEPERS if name in at},
        )

    @property
    def owner_url(self) -> str:
        """The owner's URL for our own programs, whose libpq can be told how to log in."""
        return f"{self.database_url}?require_auth={REQUIRE_AUTH}"

    def role_url(self, role: str) -> str:
        """Return the URL of a role. Its password is in the file that PGPASSFILE names (passwords.py)."""
        server = self.database_url.partition("@")[2]
        return f"postgresql://{role}@{server}?require_auth={REQUIRE_AUTH}"

    def environment(self) -> dict[str, str]:
        """Return the environment variables that a user's shell reads: the owner's address, and all others."""
        return {
            "DATABASE_URL": self.database_url,
            "PGREQUIREAUTH": REQUIRE_AUTH,  # as a variable: psql before 16 refuses it in an address
            **self.public(),
        }

    def public(self) -> dict[str, str]:
        """Return the environment variables without any access to the database."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(self.brokers.values()),
            "PRODUCER_URL": self.producer_url,
            "CONSUMER_URL": self.consumer_url,
            "PROJECTOR_URL": self.projector_url,
            "KAFKA_UI_URL": self.kafka_ui_url,
        }


def load(paths: Paths) -> Addresses:
    """Read the addresses that the last start assigned."""
    return Addresses.of(ports.load(paths.ports), passwords.load_or_create_owner_password(paths))
