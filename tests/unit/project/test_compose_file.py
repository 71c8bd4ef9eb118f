"""docker-compose.yml repeats the services and the brokers' settings: they must agree with the local stack's."""

import re
from pathlib import Path

from local_stack import postgres
from local_stack.kafka import zookeeper
from local_stack.kafka.broker import Node
from local_stack.kafka.connect import Worker
from local_stack.kafka.zookeeper_broker import Broker
from local_stack.services import ZOOKEEPERS
from tests.compose.stack import ONE_SHOTS, PROFILES, SERVICES
from tests.project import ROOT
from tests.unit.project import compose

COMPOSE = (ROOT / "docker-compose.yml").read_text()
WITH_ZOOKEEPER = compose.read("deploy/zookeeper/docker-compose.yml")["services"]


def section(name: str) -> str:
    """Return the lines below a top-level key of docker-compose.yml."""
    found = re.search(rf"^{name}:.*\n((?: .*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert found
    return found[1]


def services() -> dict[str, str]:
    """Return the text of each service in docker-compose.yml by its name."""
    _, *parts = re.split(r"^  ([a-z0-9-]+):\n", section("services"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_compose_file_has_the_services_of_the_local_stack() -> None:
    assert set(services()) == {*SERVICES, *PROFILES, *ONE_SHOTS}


# Where brokers listen and keep their data differs: containers have names, the local stack has ports.
PLACES = {
    *("inter.broker.listener.name", "controller.quorum.voters", "node.id", "listeners", "log.dirs"),
    *("advertised.listeners", "listener.security.protocol.map"),
}


def test_brokers_have_the_same_settings_natively_and_in_docker() -> None:
    found = re.findall(r"^  KAFKA_([A-Z_]+): (.*)$", section("x-kafka-environment"), re.MULTILINE)
    in_docker = {name.lower().replace("_", "."): value.strip('"') for name, value in found}
    natively = Node(1, [1, 2, 3], [4, 5, 6]).properties()
    image = {"heap.opts", "jvm.performance.opts"}  # settings of the image, not of Kafka
    assert {name: value for name, value in in_docker.items() if name not in PLACES | image} == {
        name: value for name, value in natively.items() if name not in PLACES
    }


def test_brokers_with_zookeeper_have_the_same_settings_natively_and_in_docker() -> None:
    in_docker = settings_of(WITH_ZOOKEEPER["kafka-1"]["environment"], "KAFKA_")
    natively = Broker(1, [1, 2, 3], ["a:1"]).properties()
    image = {"heap.opts", "jvm.performance.opts"}
    places = PLACES | {"zookeeper.connect", "broker.id"}
    assert {name: value for name, value in in_docker.items() if name not in places | image} == {
        name: value for name, value in natively.items() if name not in places
    }
    ensemble = ",".join(f"{name}:2181" for name in ZOOKEEPERS)
    assert (in_docker["zookeeper.connect"], in_docker["broker.id"]) == (ensemble, "1")


def test_zookeepers_have_the_same_settings_natively_and_in_docker() -> None:
    environment = WITH_ZOOKEEPER["zookeeper-2"]["environment"]
    in_docker = settings_of(environment, "ZOOKEEPER_")
    whitelist = environment["KAFKA_OPTS"].removeprefix("-Dzookeeper.4lw.commands.whitelist=")
    assert zookeeper.SETTINGS["4lw.commands.whitelist"] == whitelist
    natively = {name.lower(): value for name, value in zookeeper.SETTINGS.items()}
    assert in_docker.pop("server.id") == "2"
    assert in_docker.pop("client.port") == "2181"
    assert in_docker.pop("servers") == ";".join(f"{name}:2888:3888" for name in ZOOKEEPERS)
    # The image knows each name in capitals; the server's own names have dots here and there.
    assert {name.replace(".", ""): value for name, value in in_docker.items()} == {
        name.replace(".", ""): value for name, value in natively.items() if not name.startswith("4lw")
    }


def settings_of(environment: dict[str, object], prefix: str) -> dict[str, str]:
    """Return what an image makes of the variables with this prefix: a setting's name has dots for underscores."""
    return {
        name.removeprefix(prefix).lower().replace("_", "."): str(value)
        for name, value in environment.items()
        if name.startswith(prefix)
    }


def test_connect_has_the_same_settings_natively_and_in_docker() -> None:
    environment = re.search(r"    environment:\n((?:      .*\n)+)", services()["connect"])
    assert environment
    found = re.findall(r"^      ([A-Z_]+): (.*)$", environment[1], re.MULTILINE)
    in_docker = {
        name.removeprefix("CONNECT_").lower().replace("_", "."): value.strip('"') for name, value in found
    }
    assert in_docker.pop("heap.opts")
    assert in_docker.pop("bootstrap.servers") == "kafka-1:9092,kafka-2:9092,kafka-3:9092"
    natively = Worker(1, ["a:1", "b:1", "c:1"], Path("/secrets/connect")).properties()
    places = {"bootstrap.servers", "listeners", "plugin.path"}
    assert in_docker == {name: value for name, value in natively.items() if name not in places}


def test_log_that_waits_for_an_archive_is_bounded_alike() -> None:
    found = re.search(r"max_slot_wal_keep_size=(\d+)GB", services()["postgres"])
    assert found
    assert int(found[1]) * 1024 == postgres.SLOT_MB
