"""What runs: for each service its command, where it runs, and how it ends."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals

from local_stack import postgres
from local_stack.paths import CLONE, Paths
from local_stack.ports import BROKERS

STORES = ("postgres", *BROKERS)
APPS = ("producer", "relay", "consumer")
NAMES = (*STORES, *APPS)


@dataclass(frozen=True)
class Service:
    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """The signal that asks for an orderly end, and how long that may take."""

    signal: Signals
    seconds: int


STOPS = {
    "postgres": Stop(SIGINT, 10),
    # The last brokers to end have no quorum left to sign off from and would wait for minutes: no loss.
    **{name: Stop(SIGTERM, 3) for name in BROKERS},
    **{name: Stop(SIGTERM, 10) for name in APPS},
}


@dataclass(frozen=True)
class Addresses:
    """How to reach each service, from this machine."""

    database_url: str
    brokers: Mapping[str, str]
    producer_url: str
    consumer_url: str

    @classmethod
    def of(cls, ports: Mapping[str, int], password: str) -> "Addresses":
        return cls(
            database_url=f"postgresql://{postgres.USER}:{password}@127.0.0.1:{ports['postgres']}/{postgres.DATABASE}",
            brokers={name: f"127.0.0.1:{ports[name]}" for name in BROKERS},
            producer_url=f"http://127.0.0.1:{ports['producer']}",
            consumer_url=f"http://127.0.0.1:{ports['consumer']}",
        )

    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(self.brokers.values()),
            "PRODUCER_URL": self.producer_url,
            "CONSUMER_URL": self.consumer_url,
        }


def database(paths: Paths) -> Service:
    return Service("postgres", postgres.command(paths), paths.home)


def apps(paths: Paths, addresses: Addresses, topic: str) -> list[Service]:
    environment = {
        **addresses.environment(),
        "KAFKA_TOPIC": topic,
        "RELAY_HEARTBEAT_FILE": str(paths.heartbeat),
        "PYTHONUNBUFFERED": "1",
    }
    commands = {
        "producer": _gunicorn("producer:create_app()", addresses.producer_url),
        "relay": [sys.executable, "-m", "producer.relay"],
        "consumer": _gunicorn("consumer:create_app()", addresses.consumer_url),
    }
    folders = {"producer": "producer_service", "relay": "producer_service", "consumer": "consumer_service"}
    return [Service(name, commands[name], CLONE / folders[name], environment) for name in APPS]


def _gunicorn(app: str, url: str) -> list[str]:
    return [sys.executable, "-m", "gunicorn", "--bind", url.removeprefix("http://"), app]
