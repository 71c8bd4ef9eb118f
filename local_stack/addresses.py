"""How to reach each service from this machine."""

from collections.abc import Mapping
from dataclasses import dataclass

from local_stack import ports, postgres
from local_stack.paths import Paths
from local_stack.services import BROKERS, CONSUMER, POSTGRES, PRODUCER


@dataclass(frozen=True)
class Addresses:
    """The URLs of the stack, and the address (host:port) of each broker by its name."""

    database_url: str
    brokers: Mapping[str, str]
    producer_url: str
    consumer_url: str

    @classmethod
    def of(cls, numbers: Mapping[str, int], password: str) -> "Addresses":
        """Build the addresses from the port numbers by name and the database's password."""
        at = {name: f"127.0.0.1:{number}" for name, number in numbers.items()}
        return cls(
            database_url=f"postgresql://{postgres.USER}:{password}@{at[POSTGRES]}/{postgres.DATABASE}",
            brokers={name: at[name] for name in BROKERS},
            producer_url=f"http://{at[PRODUCER]}",
            consumer_url=f"http://{at[CONSUMER]}",
        )

    def environment(self) -> dict[str, str]:
        """Return the environment variables that the services and a user's shell read."""
        return {
            "DATABASE_URL": self.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(self.brokers.values()),
            "PRODUCER_URL": self.producer_url,
            "CONSUMER_URL": self.consumer_url,
        }


def load(paths: Paths) -> Addresses:
    """Read the addresses that the last start assigned."""
    return Addresses.of(ports.load(paths.ports), postgres.load_or_create_password(paths))
