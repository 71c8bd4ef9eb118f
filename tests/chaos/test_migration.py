"""From ZooKeeper to KRaft and on to Kafka 4, while orders are placed; and to an empty Kafka: docs/zookeeper.md."""

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from local_stack import ports
from local_stack.config import load_settings
from local_stack.kafka import broker, jars, java, pins, zookeeper, zookeeper_broker
from local_stack.paths import Paths, write_private
from local_stack.services import BROKERS, ZOOKEEPERS
from tests.e2e.customer import Customer
from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.shop import DELIVERY, Shop
from tests.stack import Stack
from tests.zookeeper_stack import ZooKeeperStack

CONTROLLERS = (3001, 3002, 3003)
MIGRATED = "Completed migration of metadata from ZooKeeper to KRaft"
ENDS_WITHIN_S = 20

Properties = Mapping[str, str]


class Nodes:
    """Brokers and controllers that the test runs itself, each in its folder, by name."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, folder: Path, command: Sequence[str], properties: Properties) -> None:
        """Write the settings and start a node. A log of its own for each run."""
        write_private(folder / "server.properties", "".join(f"{k}={v}\n" for k, v in properties.items()))
        with (folder / "log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop(self, name: str) -> None:
        node = self._running.pop(name, None)
        if node is not None:
            node.terminate()
            try:
                node.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait(ENDS_WITHIN_S)

    def kill_all(self) -> None:
        for node in self._running.values():
            node.send_signal(signal.SIGKILL)
            node.wait(ENDS_WITHIN_S)


class Migration:
    """The cluster of a running stack, moved node by node."""

    def __init__(self, stack: ZooKeeperStack, nodes: Nodes):
        self._stack, self._nodes = stack, nodes
        settings, paths = load_settings(), Paths(stack.home)
        self._folder = paths.kafka_zookeeper
        self._java = java.find(settings.java_home, print)
        self._old = jars.fetch(settings.cache / f"kafka-{pins.ZOOKEEPER_VERSION}", print, pins.ZOOKEEPER)
        self._new = jars.fetch(settings.cache / f"kafka-{pins.VERSION}", print)
        numbers = ports.load(paths.ports)
        self._brokers = [numbers[name] for name in BROKERS]
        self._ensemble = [f"127.0.0.1:{numbers[name]}" for name in ZOOKEEPERS]
        self._controllers = dict(zip(CONTROLLERS, islice(ports.free_ports(), 3), strict=True))
        self.admin = AdminClient({"bootstrap.servers": stack.env["KAFKA_BOOTSTRAP_SERVERS"], "log_level": 0})

    @property
    def _quorum(self) -> dict[str, str]:
        voters = ",".join(f"{number}@127.0.0.1:{port}" for number, port in self._controllers.items())
        names = {"controller.quorum.voters": voters, "controller.listener.names": "CONTROLLER"}
        return names | {"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"}

    @property
    def _zookeeper(self) -> dict[str, str]:
        return {
            "zookeeper.metadata.migration.enable": "true",
            "zookeeper.connect": ",".join(self._ensemble),
            **zookeeper_broker.ZOOKEEPER,
        }

    def start_controllers(self) -> None:
        """1. Three controllers that are to take the metadata over."""
        cluster_id = self.admin.describe_cluster(request_timeout=5).result(10).cluster_id
        for number in CONTROLLERS:
            data = self._place(number) / "data"
            data.mkdir(parents=True)
            text = (
                f"version=1\ncluster.id={cluster_id}\nnode.id={number}\ndirectory.id={broker.random_uuid()}\n"
            )
            write_private(data / "meta.properties", text)
            self.start_controller(number, self._zookeeper, old=True)

    def let_brokers_register(self) -> None:
        """2. Each broker, still with ZooKeeper, tells the controllers of itself; then the metadata is copied."""
        for number, name in enumerate(BROKERS, 1):
            with_zookeeper = zookeeper_broker.Broker(number, self._brokers, self._ensemble).properties()
            self._stack.run("stop", name)
            migrating = {**with_zookeeper, **self._zookeeper, **self._quorum}
            self._start_broker(number, migrating | {"inter.broker.protocol.version": "3.9"}, old=True)
        eventually(self._is_migrated, within=60, every=0.3)

    def take_brokers_from_zookeeper(self) -> None:
        """3. Each broker with KRaft, still as version 3.9."""
        for number, name in enumerate(BROKERS, 1):
            self._nodes.stop(name)
            self._start_broker(number, self._with_kraft(number), old=True)

    def end_the_migration(self) -> None:
        """4. The controllers no longer write to ZooKeeper, which is stopped. There is no way back from here."""
        for number in CONTROLLERS:
            self._nodes.stop(str(number))
            self.start_controller(number, {}, old=True)
        self._stack.run("stop", *ZOOKEEPERS)

    def upgrade(self) -> None:
        """5. Kafka 4: the controllers, then the brokers."""
        for number in CONTROLLERS:
            self._nodes.stop(str(number))
            self.start_controller(number, {}, old=False)
        for number, name in enumerate(BROKERS, 1):
            self._nodes.stop(name)
            self._start_broker(number, self._with_kraft(number), old=False)

    def start_controller(self, number: int, more: Properties, old: bool) -> None:
        properties = {
            **broker.KRAFT,
            **self._quorum,
            **more,
            "process.roles": "controller",
            "node.id": str(number),
            "listeners": f"CONTROLLER://127.0.0.1:{self._controllers[number]}",
            "log.dirs": "data",
        }
        self._start(str(number), self._place(number), properties, old)
        eventually(self._answers, within=60, every=0.3)

    def _with_kraft(self, number: int) -> Properties:
        return {
            **broker.SETTINGS,
            **broker.KRAFT,
            **broker.replication(3, broker.INTERNAL_TOPICS),
            **self._quorum,
            "process.roles": "broker",
            "node.id": str(number),
            "listeners": f"PLAINTEXT://127.0.0.1:{self._brokers[number - 1]}",
            "log.dirs": "data",
        }

    def _start_broker(self, number: int, properties: Properties, old: bool) -> None:
        name = BROKERS[number - 1]
        self._start(name, self._folder / name, properties, old)
        eventually(self._is_whole, within=90, every=0.3)

    def _start(self, name: str, folder: Path, properties: Properties, old: bool) -> None:
        if old:
            write_private(folder / "log4j.properties", zookeeper.LOGGING)
            command = zookeeper_broker.command(self._java, self._old)
        else:
            write_private(folder / "log4j2.properties", broker.LOGGING)
            command = broker.command(self._java, self._new)
        self._nodes.start(name, folder, command, properties)

    def _place(self, number: int) -> Path:
        return self._folder / f"controller-{number}"

    def _is_migrated(self) -> bool:
        return any(MIGRATED in (self._place(number) / "log").read_text() for number in CONTROLLERS)

    def _answers(self) -> bool:
        try:
            return bool(self.admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def _is_whole(self) -> bool:
        """Return whether all brokers are there and every replica is in sync."""
        try:
            found = self.admin.list_topics(timeout=2)
        except KafkaException:
            return False
        partitions = [each for topic in found.topics.values() for each in topic.partitions.values()]
        return len(found.brokers) == 3 and all(len(each.isrs) == len(each.replicas) for each in partitions)

    def topic_id(self) -> str:
        return str(self.admin.describe_topics(TopicCollection(["orders"]))["orders"].result(10).topic_id)


@pytest.fixture
def stack() -> Iterator[ZooKeeperStack]:
    with ZooKeeperStack.started() as stack:
        stack.run("start")
        yield stack


@contextmanager
def nodes() -> Iterator[Nodes]:
    running = Nodes()
    try:
        yield running
    finally:
        running.kill_all()


@pytest.mark.timeout(900)
def test_metadata_move_from_zookeeper_to_kraft_and_to_kafka_4_while_orders_are_placed(
    stack: ZooKeeperStack,
) -> None:
    shop = Shop(stack.env["PRODUCER_URL"])
    with ExitStack() as open_:
        migration = Migration(stack, open_.enter_context(nodes()))
        viewer = open_.enter_context(Viewer(stack.env["CONSUMER_URL"] + "/stream"))
        eventually(viewer.is_live)
        topic_id = migration.topic_id()
        with Customer(shop) as customer:
            customer.place_more(50)
            for step in (
                migration.start_controllers,
                migration.let_brokers_register,
                migration.take_brokers_from_zookeeper,
                migration.end_the_migration,
                migration.upgrade,
            ):
                step()
                customer.place_more(50)
                placed = list(customer.acknowledged)
                eventually(lambda placed=placed: viewer.has_seen(placed), within=60)  # type: ignore[misc]
                print(f"{step.__doc__} {len(placed)} orders", flush=True)
        assert customer.refused == []
        eventually(lambda: viewer.has_seen(customer.acknowledged), within=60)
        eventually(lambda: shop.count_outbox_rows() == 0, within=60)
        assert not viewer.gaps()
        assert migration.topic_id() == topic_id
        figures = json.loads(stack.run("ledger", "--json").stdout)
    assert figures["missing"] == figures["never_committed"] == figures["out_of_order"] == 0
    assert figures["committed"] == figures["in_kafka"] > 0


@pytest.mark.timeout(600)
def test_orders_move_to_an_empty_kafka_of_the_other_kind_and_back() -> None:
    with Stack.started() as with_kraft:
        with_kraft.run("start")
        placed = place(Shop(with_kraft.env["PRODUCER_URL"]))
        with_zookeeper = ZooKeeperStack(with_kraft.home)
        move(with_kraft, with_zookeeper, "kafka", placed)
        placed += place(Shop(with_zookeeper.env["PRODUCER_URL"]))
        back = BackToKRaft(with_kraft.home)
        move(with_zookeeper, back, "kafka-zookeeper", placed)


class BackToKRaft(Stack):
    """A stack that is told to use KRaft."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "KAFKA_METADATA": "kraft"}


def place(shop: Shop) -> list[str]:
    """Place orders, let one be delivered, and wait until all events are in Kafka."""
    placed = [shop.place() for _ in range(20)]
    for each in DELIVERY:
        shop.change_status(placed[0], each)
    eventually(lambda: shop.count_outbox_rows() == 0, within=30)
    return placed


def move(old: Stack, new: Stack, folder: str, placed: Sequence[str]) -> None:
    """Take the steps, and see that everything is in the new Kafka and is counted as before."""
    counted = eventually(lambda: figures_of(old, len(placed)), within=30)
    with Viewer(old.env["CONSUMER_URL"] + "/stream") as before:
        eventually(before.is_live)
    old.run("stop")
    assert new.run("start", check=False).returncode == 1
    (old.home / folder).rename(old.home / f"{folder}.before")
    new.run("start")
    assert json.loads(new.run("ledger", "--json", check=False).stdout)["missing"] == counted["events"]
    with Viewer(new.env["CONSUMER_URL"] + "/stream", before.position) as viewer:
        eventually(viewer.is_live)
        assert [gap["reason"] for gap in viewer.gaps()] == ["recreated"]
        new.run("ledger", "--repair", check=False)
        eventually(lambda: viewer.has_seen(placed), within=60)
    eventually(lambda: Shop(new.env["PRODUCER_URL"]).count_outbox_rows() == 0, within=30)
    assert json.loads(new.run("ledger", "--json").stdout)["missing"] == 0
    eventually(lambda: figures_of(new, len(placed), counted["events"]), within=30)
    assert figures_of(new, len(placed))["revenue"] == counted["revenue"]
    eventually(new.is_healthy, within=60)


def figures_of(stack: Stack, orders: int, events: int = 0) -> dict[str, Any]:
    """Return what the projector has counted, once it has counted all."""
    figures: dict[str, Any] = requests.get(stack.env["PROJECTOR_URL"] + "/stats", timeout=10).json()
    assert figures["orders"] == orders, figures
    assert figures["events"] >= events, figures
    return figures
