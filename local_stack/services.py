"""The services of the stack: their names, their supervisord groups, and how each is stopped."""

from dataclasses import dataclass
from signal import SIGINT, SIGTERM, Signals

POSTGRES = "postgres"
BROKERS = ("kafka-1", "kafka-2", "kafka-3")
PRODUCER, RELAY, CONSUMER, KAFKA_UI = "producer", "relay", "consumer", "kafka-ui"
CONNECT, CONNECTOR = "connect", "connector"
PROJECTOR = "projector"
MOST_PROJECTORS = 12
# Only with PROJECTORS=2 and more: further instances of the projector.
MORE_PROJECTORS = tuple(f"{PROJECTOR}-{number}" for number in range(2, MOST_PROJECTORS + 1))
PROJECTORS = (PROJECTOR, *MORE_PROJECTORS)
ZOOKEEPERS = ("zookeeper-1", "zookeeper-2", "zookeeper-3")

STORES = (POSTGRES, *BROKERS)
APPS = (PRODUCER, RELAY, CONSUMER, PROJECTOR)
# Kafka UI is ours natively only: in containers it is an image of others.
NATIVE_APPS = (*APPS, KAFKA_UI)
NAMES = (*STORES, *NATIVE_APPS)
# Only with PUBLISHER=debezium: Kafka Connect, and the program that keeps its connector running.
CDC = (CONNECT, CONNECTOR)
# Only with KAFKA_METADATA=zookeeper: ZOOKEEPERS.
OPTIONAL = (*CDC, *MORE_PROJECTORS, *ZOOKEEPERS)
# In the order in which they are shown.
ALL = (*STORES, *APPS, *MORE_PROJECTORS, KAFKA_UI, *CDC, *ZOOKEEPERS)
# What listens for HTTP, each on a port of its setting.
WEB = (PRODUCER, CONSUMER, PROJECTOR, KAFKA_UI)

# By supervisord group: each needs those before it, so a stop ends the groups from the last one to the first.
GROUPS = {
    "ensemble": ZOOKEEPERS,
    "stores": STORES,
    "cdc": CDC,
    "apps": (*NATIVE_APPS, *MORE_PROJECTORS),
}


@dataclass(frozen=True)
class StopPolicy:
    """The signal that asks a service for an orderly end, and how many seconds that may take."""

    signal: Signals
    timeout_s: int


STOP_POLICIES = {
    **dict.fromkeys(ZOOKEEPERS, StopPolicy(SIGTERM, 5)),
    POSTGRES: StopPolicy(SIGINT, 10),
    # The last brokers to stop have no quorum left for a controlled shutdown and would wait for minutes.
    # Ending them early loses nothing.
    **dict.fromkeys(BROKERS, StopPolicy(SIGTERM, 3)),
    CONNECT: StopPolicy(SIGTERM, 10),
    CONNECTOR: StopPolicy(SIGTERM, 5),
    # Longer than gunicorn's graceful timeout and the flush to Kafka after it (*_service/gunicorn.conf.py).
    PRODUCER: StopPolicy(SIGTERM, 20),
    RELAY: StopPolicy(SIGTERM, 10),
    CONSUMER: StopPolicy(SIGTERM, 15),
    PROJECTOR: StopPolicy(SIGTERM, 15),
    KAFKA_UI: StopPolicy(SIGTERM, 10),
    **dict.fromkeys(MORE_PROJECTORS, StopPolicy(SIGTERM, 15)),
}


def port_setting(service: str) -> str:
    """Return the name of the setting of a service's port, in lower case."""
    return f"{service.replace('-', '_')}_port"


def group_of(service: str) -> str:
    return next(group for group, members in GROUPS.items() if service in members)
