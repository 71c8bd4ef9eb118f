"""Kafka with ZooKeeper in containers, as `./start_project.sh --zookeeper` starts it."""

import subprocess
from collections.abc import Iterator

import pytest

from local_stack.services import BROKERS, CONSUMER, NAMES, ZOOKEEPERS
from tests.compose.stack import GATEWAY, ComposeStack, docker
from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import clone

PROJECT = "order-stream-zookeeper"
IMAGES = ("confluentinc/cp-zookeeper:7.9.2", "confluentinc/cp-kafka:7.9.2")


def can_be_had(image: str) -> bool:
    """Return whether an image is here or can be pulled: nobody but this test needs it."""
    commands = (["docker", "image", "inspect", image], ["docker", "pull", "--quiet", image])
    return any(subprocess.run(each, capture_output=True, timeout=600).returncode == 0 for each in commands)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    for image in IMAGES:
        if not can_be_had(image):
            pytest.skip(f"{image} is not here, and no registry has it")
    folder = tmp_path_factory.mktemp("zookeeper")
    clone(folder)
    stack = ComposeStack(folder, PROJECT, "docker-compose.yml", "--zookeeper")
    stack.run("reset", "--yes")
    stack.run("start", within=600)
    yield stack
    stack.run("reset", "--yes")
    assert not docker("volume", "ls", "--quiet", "--filter", f"name=^{PROJECT}_").split()


@pytest.fixture
def shop(ensemble: ComposeStack) -> Shop:
    return Shop(ensemble.env["PRODUCER_URL"])


def test_orders_flow_and_status_shows_the_ensemble(ensemble: ComposeStack, shop: Shop) -> None:
    assert set(ensemble.services()) == {*NAMES, GATEWAY, *ZOOKEEPERS}
    with Viewer(ensemble.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        placed = [shop.place() for _ in range(10)]
        eventually(lambda: viewer.has_seen(placed))
    eventually(lambda: shop.count_outbox_rows() == 0)
    assert shop.health()["status"] == "ok"


@pytest.mark.parametrize("service", [ZOOKEEPERS[0], BROKERS[1]])
def test_killed_process_comes_back_and_no_order_is_missing(
    ensemble: ComposeStack, shop: Shop, service: str
) -> None:
    with Viewer(ensemble.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        ensemble.kill(service)
        placed = [shop.place() for _ in range(10)]
        eventually(lambda: viewer.has_seen(placed), within=40)
        assert not viewer.gaps()
    eventually(ensemble.is_healthy, within=90, every=1)


def test_without_a_quorum_orders_flow_and_the_health_says_so(ensemble: ComposeStack, shop: Shop) -> None:
    def one_says_so() -> bool:
        return bool(ensemble.services()[ZOOKEEPERS[2]]["health"] == "unhealthy")

    with Viewer(ensemble.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        ensemble.run("stop", *ZOOKEEPERS[:2])
        eventually(one_says_so, within=60, every=1)
        placed = [shop.place() for _ in range(10)]
        eventually(lambda: viewer.has_seen(placed), within=40)
    ensemble.run("start", *ZOOKEEPERS[:2])
    eventually(ensemble.is_healthy, within=90, every=1)


def test_nobody_but_the_brokers_reaches_zookeeper(ensemble: ComposeStack) -> None:
    (network,) = docker("network", "ls", "--quiet", "--filter", f"name=^{PROJECT}_zookeeper$").split()
    members = docker(
        "network", "inspect", "--format", "{{range .Containers}}{{.Name}} {{end}}", network
    ).split()
    services = {name.removeprefix(f"{PROJECT}-").removesuffix("-1") for name in members}
    assert services == {*ZOOKEEPERS, *BROKERS}
    (internal,) = docker("network", "inspect", "--format", "{{.Internal}}", network).split()
    assert internal == "true"
    probe = "import socket; socket.create_connection(('zookeeper-1', 2181), 3)"
    refused = ensemble.try_compose("exec", "-T", CONSUMER, "python", "-c", probe)
    assert refused.returncode != 0
    for name in ZOOKEEPERS:
        (container,) = ensemble.containers(name)
        assert container["HostConfig"]["ReadonlyRootfs"]
        assert container["HostConfig"]["CapDrop"] == ["ALL"]


def test_kafka_without_its_events_is_refused(ensemble: ComposeStack) -> None:
    with_kraft = ComposeStack(ensemble.folder, PROJECT, "docker-compose.yml")
    with_kraft.settings = {**ensemble.settings, "KAFKA_METADATA": "kraft"}
    refused = with_kraft.run("start", check=False)
    assert refused.returncode == 1
    assert "The events of this stack are in Kafka with ZooKeeper" in refused.stderr
    assert "docs/zookeeper.md" in refused.stderr
    assert ensemble.is_healthy()
