"""PostgreSQL and three Kafka brokers in containers: the integration tests on the official images.

The library's KafkaContainer is one broker of Confluent's image, and our topics have three replicas; so the
brokers are three plain containers of Kafka's own image, each with an address on this machine.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from local_stack.services import BROKERS
from tests.compose.stack import free_ports
from tests.stack import Stack

VOTERS = ",".join(f"{number}@{name}:9093" for number, name in enumerate(BROKERS, 1))
KAFKA = {
    "CLUSTER_ID": "b3JkZXItc3RyZWFtLTAwMQ",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": VOTERS,
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
    "KAFKA_LISTENERS": "BROKER://:9092,CONTROLLER://:9093,MACHINE://:19092",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,MACHINE:PLAINTEXT",
    "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE": "4194304",
    "KAFKA_HEAP_OPTS": "-Xms64m -Xmx256m",
}
# As in docker-compose.yml: the image's own start appends to copies of these files, which may be read-only.
START = "cd /opt/kafka/config && rm -f *.yaml server.properties && touch server.properties && "
START += "install -m 644 -t /mnt/shared/config /etc/kafka/docker/*.yaml && exec /etc/kafka/docker/run"
START_S = 240  # two stacks start side by side, on a machine that others use too


class ContainerStack(Stack):
    """Only the stores; the tests start the services themselves."""

    def __init__(self, addresses: dict[str, str]):
        super().__init__(Path())
        self._addresses = addresses

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        # Everything ends with this block; the library's own reaper would be one more image, with Docker's socket.
        testcontainers_config.ryuk_disabled = True
        with ExitStack() as running:
            postgres = PostgresContainer("postgres:18", username="orders", dbname="orders", driver=None)
            running.enter_context(postgres.with_command("postgres -c fsync=off -c wal_level=logical"))
            network = running.enter_context(Network())
            ports = free_ports(len(BROKERS))
            brokers = [
                broker(name, number, port, network)
                for number, (name, port) in enumerate(zip(BROKERS, ports, strict=True), 1)
            ]
            for each in brokers:
                running.callback(each.stop)
                each.start()
            for each in brokers:
                ready = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(START_S)
                ready.wait_until_ready(each)
            yield cls(
                {
                    "DATABASE_URL": postgres.get_connection_url(host="127.0.0.1"),
                    "KAFKA_BOOTSTRAP_SERVERS": ",".join(f"127.0.0.1:{port}" for port in ports),
                }
            )

    @property
    def env(self) -> dict[str, str]:
        return self._addresses


def broker(name: str, number: int, port: int, network: Network) -> DockerContainer:
    """Return a broker that is not started yet. Its port is given, as a broker tells its clients its address."""
    container = DockerContainer(os.environ.get("KAFKA_IMAGE", "apache/kafka:4.3.1"))
    container.with_network(network).with_network_aliases(name).with_bind_ports(19092, port)
    container.with_command(["bash", "-c", START])
    container.with_envs(
        **KAFKA,
        KAFKA_NODE_ID=str(number),
        KAFKA_ADVERTISED_LISTENERS=f"BROKER://{name}:9092,MACHINE://127.0.0.1:{port}",
    )
    return container
