"""Faults of Kafka with ZooKeeper under load: `make chaos-zookeeper`. The promises are those with KRaft."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local_stack.lifecycle.health import NO_QUORUM
from local_stack.services import BROKERS, CONSUMER, POSTGRES, PRODUCER, RELAY, ZOOKEEPERS
from tests.chaos.faults import between, frozen, leader_killed, one_by_one, sent
from tests.chaos.links import Rule
from tests.chaos.proxied_stack import ProxiedStack
from tests.chaos.table import Row
from tests.chaos.trial import Fault, Inject, Trial
from tests.eventually import eventually
from tests.zookeeper_stack import ZooKeeperStack

KILL, TERM = signal.SIGKILL, signal.SIGTERM
FROZEN_S, CUT_S, AWAY_S = 20, 10, 20


class ProxiedEnsemble(ProxiedStack, ZooKeeperStack):
    """With a proxy on every link to a broker and from a broker to a ZooKeeper."""

    servers = (POSTGRES, *BROKERS, *ZOOKEEPERS, PRODUCER, CONSUMER)


@pytest.fixture(scope="module")
def ensemble_trial() -> Iterator[Trial]:
    with ProxiedEnsemble.started() as stack, Trial.started(stack) as trial:
        yield trial


def ensemble_of(trial: Trial) -> ZooKeeperStack:
    assert isinstance(trial.stack, ZooKeeperStack)
    return trial.stack


def controller(trial: Trial) -> str:
    """Return the broker that ZooKeeper has made the controller."""
    admin = AdminClient({"bootstrap.servers": trial.stack.env["KAFKA_BOOTSTRAP_SERVERS"], "log_level": 0})
    try:
        node = admin.describe_cluster(request_timeout=5).result(10).controller
    except KafkaException as error:
        raise AssertionError(str(error)) from error
    assert node is not None
    assert node.id > 0
    return BROKERS[node.id - 1]


@contextmanager
def ensemble_leader_killed(trial: Trial) -> Iterator[None]:
    """Kill the leader of the ensemble, and wait until another one leads."""
    first = eventually(ensemble_of(trial).leader, within=20)
    with sent(KILL, first)(trial):
        eventually(lambda: ensemble_of(trial).leader() != first, within=20)
        yield


@contextmanager
def ensemble_leader_frozen(trial: Trial) -> Iterator[None]:
    with frozen(eventually(ensemble_of(trial).leader, within=20))(trial):
        yield


@contextmanager
def controller_killed(trial: Trial) -> Iterator[None]:
    """Kill the broker that is the controller, and wait until another one is."""
    first = eventually(lambda: controller(trial), within=20)
    with sent(KILL, first)(trial):
        eventually(lambda: controller(trial) != first, within=30)
        yield


@contextmanager
def controller_frozen(trial: Trial) -> Iterator[None]:
    with frozen(eventually(lambda: controller(trial), within=20))(trial):
        yield


@contextmanager
def controller_without_zookeeper(trial: Trial) -> Iterator[None]:
    """Cut the controller off from all ZooKeepers: it takes itself for the controller while there is another one."""
    broker = eventually(lambda: controller(trial), within=20)
    with between([(broker, each) for each in ZOOKEEPERS], Rule(cut=True))(trial):
        yield


def without_quorum(inner: Inject | None = None) -> Inject:
    """Stop two ZooKeepers, and see that the third one says so."""

    @contextmanager
    def inject(trial: Trial) -> Iterator[None]:
        stack = ensemble_of(trial)
        stack.run("stop", *ZOOKEEPERS[:2])
        try:
            eventually(lambda: stack.ensemble()[ZOOKEEPERS[2]].detail == NO_QUORUM, within=20)
            if inner is None:
                yield
            else:
                with inner(trial):
                    yield
        finally:
            stack.run("start", *ZOOKEEPERS[:2])

    return inject


def faults() -> Iterator[Fault]:
    """All of them take orders: nothing of this is on the way of an order into PostgreSQL."""

    def fault(name: str, inject: Inject, within_s: float, lasts_s: float = 0) -> Fault:
        return Fault(name, inject, within_s, lasts_s, takes_orders=True)

    for number, word in ((KILL, "kill -9"), (TERM, "SIGTERM")):
        yield fault(f"{word}: each ZooKeeper in turn", one_by_one(number, *ZOOKEEPERS), 60)
        yield fault(f"{word}: two of three ZooKeepers", sent(number, *ZOOKEEPERS[:2]), 60)
        yield fault(f"{word}: all ZooKeepers", sent(number, *ZOOKEEPERS), 60)
        yield fault(f"{word}: each broker in turn", one_by_one(number, *BROKERS), 60)
        yield fault(f"{word}: two of three brokers", sent(number, *BROKERS[:2]), 60)
        yield fault(f"{word}: all brokers", sent(number, *BROKERS), 90)
    yield fault("kill -9: the leader of the ensemble", ensemble_leader_killed, 60)
    yield fault("kill -9: the leader of a partition", leader_killed, 60)
    yield fault("kill -9: the controller", controller_killed, 60)
    yield fault("kill -9: all ZooKeepers and all brokers", sent(KILL, *ZOOKEEPERS, *BROKERS), 90)
    yield fault(f"two of three ZooKeepers away for {AWAY_S} s", without_quorum(), 60, AWAY_S)
    yield fault(
        f"two of three ZooKeepers away for {AWAY_S} s, and kafka-2 is killed",
        without_quorum(sent(KILL, BROKERS[1])),
        90,
        AWAY_S,
    )
    yield fault(f"SIGSTOP {FROZEN_S} s: the leader of the ensemble", ensemble_leader_frozen, 60, FROZEN_S)
    yield fault(f"SIGSTOP {FROZEN_S} s: all ZooKeepers", frozen(*ZOOKEEPERS), 60, FROZEN_S)
    yield fault(f"SIGSTOP {FROZEN_S} s: the controller", controller_frozen, 60, FROZEN_S)
    yield fault(f"cut {CUT_S} s: the controller and ZooKeeper", controller_without_zookeeper, 60, CUT_S)
    yield fault("kill -9: relay", sent(KILL, RELAY), 30)


FAULTS = tuple(faults())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", [pytest.param(each, id=each.name) for each in FAULTS])
def test_fault(ensemble_trial: Trial, fault: Fault, record: list[Row]) -> None:
    record.append(ensemble_trial.run(fault))


def test_the_ledger_agrees(ensemble_trial: Trial) -> None:
    """The product's own ledger, after all of it."""
    figures = json.loads(ensemble_trial.stack.run("ledger", "--json").stdout)
    assert figures["missing"] == figures["never_committed"] == figures["out_of_order"] == 0
    assert figures["in_outbox"] == figures["parked"] == 0
    assert figures["committed"] == figures["in_kafka"] > 0
