"""Kafka with ZooKeeper, natively: orders flow, whoever of the ensemble is killed, and the health says what is missing.

`make chaos-zookeeper` does the same and more under load."""

import stat
import subprocess
from collections.abc import Iterator

import psutil
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from local_stack.lifecycle.health import NO_QUORUM, UNHEALTHY
from local_stack.paths import Paths
from local_stack.ports import PORT_RANGE
from local_stack.services import BROKERS, ZOOKEEPERS
from local_stack.supervisord import processes
from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.shop import Shop
from tests.zookeeper_stack import ZooKeeperStack


@pytest.fixture(scope="module")
def ensemble() -> Iterator[ZooKeeperStack]:
    with ZooKeeperStack.started() as stack:
        stack.run("start")
        yield stack


@pytest.fixture
def shop(ensemble: ZooKeeperStack) -> Shop:
    return Shop(ensemble.env["PRODUCER_URL"])


@pytest.fixture
def viewer(ensemble: ZooKeeperStack) -> Iterator[Viewer]:
    with Viewer(ensemble.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        yield viewer


def test_orders_flow_and_one_zookeeper_leads(ensemble: ZooKeeperStack, shop: Shop, viewer: Viewer) -> None:
    placed = [shop.place() for _ in range(5)]
    eventually(lambda: viewer.has_seen(placed))
    eventually(lambda: shop.count_outbox_rows() == 0)
    assert ensemble.is_healthy()
    assert set(ZOOKEEPERS) <= set(ensemble.services())
    assert ensemble.leader() in ZOOKEEPERS


def test_brokers_lose_nothing_that_they_have_acknowledged(ensemble: ZooKeeperStack) -> None:
    """The settings in effect, as those of the brokers with KRaft."""
    admin = AdminClient({"bootstrap.servers": ensemble.env["KAFKA_BOOTSTRAP_SERVERS"]})
    of_the_topic = ConfigResource(ResourceType.TOPIC, "orders")
    of_a_broker = ConfigResource(ResourceType.BROKER, "2")
    futures = admin.describe_configs([of_the_topic, of_a_broker])
    topic, broker = futures[of_the_topic].result(10), futures[of_a_broker].result(10)
    for settings in (topic, broker):
        assert settings["min.insync.replicas"].value == "2"
        assert settings["unclean.leader.election.enable"].value == "false"
    assert (
        broker["default.replication.factor"].value == broker["offsets.topic.replication.factor"].value == "3"
    )
    assert broker["auto.create.topics.enable"].value == "false"
    partitions = admin.list_topics("orders", timeout=10).topics["orders"].partitions.values()
    assert [len(each.replicas) for each in partitions] == [3] * 6


def test_ensemble_listens_on_loopback_only_and_its_folders_are_its_owners(ensemble: ZooKeeperStack) -> None:
    running, home = processes.find(ensemble.home), Paths(ensemble.home)
    for name in (*ZOOKEEPERS, *BROKERS):
        listening = {
            connection.laddr
            for connection in running[name][0].net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening, name
        assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}, name
        assert all(address.port in PORT_RANGE for address in listening), name
        folder = home.kafka_zookeeper / name
        assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700


def test_leader_of_the_ensemble_is_killed_and_another_one_leads(
    ensemble: ZooKeeperStack, shop: Shop, viewer: Viewer
) -> None:
    leader = eventually(ensemble.leader, within=20)
    ensemble.kill(leader)
    placed = [shop.place() for _ in range(5)]
    assert eventually(ensemble.leader, within=20) != leader
    eventually(lambda: viewer.has_seen(placed), within=20)
    eventually(ensemble.is_healthy, within=30)


def test_without_a_quorum_orders_flow_and_the_health_says_what_is_missing(
    ensemble: ZooKeeperStack, shop: Shop, viewer: Viewer
) -> None:
    ensemble.run("stop", *ZOOKEEPERS[1:])
    try:
        alone = eventually(lambda: _without_quorum(ensemble), within=20)
        placed = [shop.place() for _ in range(5)]
        eventually(lambda: viewer.has_seen(placed), within=20)
        assert alone in ensemble.run("status", check=False).stdout
        assert ensemble.run("status", check=False).returncode == 1
    finally:
        ensemble.run("start", *ZOOKEEPERS[1:])
    eventually(ensemble.is_healthy, within=60)
    assert not viewer.gaps()


def _without_quorum(ensemble: ZooKeeperStack) -> str:
    said = ensemble.ensemble()[ZOOKEEPERS[0]]
    assert (said.health, said.detail) == (UNHEALTHY, NO_QUORUM)
    return f"{ZOOKEEPERS[0]}: {NO_QUORUM}"


@pytest.mark.parametrize("command", ["start", "restart"])
def test_kafka_without_its_events_is_refused_and_nothing_is_stopped(
    ensemble: ZooKeeperStack, command: str
) -> None:
    before = {name: service["pid"] for name, service in ensemble.services().items()}
    refused = subprocess.run(
        ["/usr/bin/env", "KAFKA_METADATA=kraft", *ensemble.command, command],
        cwd=ensemble.folder, text=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 1
    assert f"with ZooKeeper ({ensemble.home}/kafka-zookeeper)" in refused.stderr
    assert "docs/zookeeper.md" in refused.stderr
    assert {name: service["pid"] for name, service in ensemble.services().items()} == before


def test_brokers_end_by_themselves_when_all_stop(ensemble: ZooKeeperStack) -> None:
    """One that is killed leaves its session behind, and its next start has to wait for the end of that.

    They have three seconds, which may be too short on a machine that others use too, but not each time.
    """
    for _ in range(3):
        ensemble.run("stop")
        if all(has_ended_by_itself(ensemble, name) for name in BROKERS):
            break
        ensemble.run("start")
    else:
        pytest.fail("Brokers were killed each time.")
    assert processes.find(ensemble.home) == {}
    ensemble.run("start")
    assert ensemble.is_healthy()


def has_ended_by_itself(ensemble: ZooKeeperStack, broker: str) -> bool:
    log = Paths(ensemble.home).log(broker).read_text(errors="replace")
    *_, last_run = log.split("Kafka version: ")
    return "shut down completed" in last_run
