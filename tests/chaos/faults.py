"""The faults, each a block that breaks something on entry and heals it on exit."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import psutil
import requests
from confluent_kafka.admin import AdminClient

from local_stack import ports
from local_stack.config import load_settings
from local_stack.lifecycle.programs import PRODUCER_FOLDER, app_environment
from local_stack.paths import Paths
from local_stack.services import BROKERS, CONSUMER, NAMES, POSTGRES, PRODUCER, PROJECTOR, RELAY
from tests.chaos.links import ANY, OUTSIDE, Link, Rule
from tests.chaos.proxied_stack import addresses_of
from tests.chaos.trial import Fault, Inject, Trial
from tests.eventually import eventually

FROZEN_S = 20
# SIGTERM is an orderly end: requests and events on their way are finished.
ENDED_WITHIN_S = 40
CUT_S = 10
AWAY_S = float(os.environ.get("AWAY_S", "60"))
SLOW_S = 0.2


def sent(number: signal.Signals, *services: str) -> Inject:
    """Send the main processes a signal that ends them, and wait for their end; their supervisor starts them again."""

    @contextmanager
    def inject(trial: Trial) -> Iterator[None]:
        mains = [trial.stack.main_process(service) for service in services]
        for service in services:
            if number is signal.SIGKILL:
                trial.stack.kill(service)
            else:
                trial.stack.signal(service, number)
        _, left = psutil.wait_procs(mains, timeout=ENDED_WITHIN_S)
        assert not left, f"{left} did not end"
        yield

    return inject


def one_by_one(number: signal.Signals, *services: str) -> Inject:
    """The same to one after the other, each as soon as the one before is healthy."""

    @contextmanager
    def inject(trial: Trial) -> Iterator[None]:
        for service in services[:-1]:
            with sent(number, service)(trial):
                eventually(trial.stack.is_healthy, within=60, every=0.2)
        with sent(number, services[-1])(trial):
            yield

    return inject


@contextmanager
def leader_killed(trial: Trial) -> Iterator[None]:
    """Kill whoever leads partition 0, and wait until another one does."""

    def leader() -> str:
        metadata = AdminClient({"bootstrap.servers": trial.stack.env["KAFKA_BOOTSTRAP_SERVERS"]}).list_topics(
            "orders", timeout=5
        )
        number = metadata.topics["orders"].partitions[0].leader
        assert number > 0
        return BROKERS[number - 1]

    first = eventually(leader, within=20)
    trial.stack.kill(first)
    eventually(lambda: leader() != first, within=30)
    yield


def frozen(*services: str) -> Inject:
    """Stop all processes of these services with SIGSTOP, and let them go on."""

    @contextmanager
    def inject(trial: Trial) -> Iterator[None]:
        for service in services:
            trial.stack.signal(service, signal.SIGSTOP, whole=True)
        try:
            yield
        finally:
            trial.stack.let_run(*services)

    return inject


def between(links: Sequence[Link], rule: Rule) -> Inject:
    @contextmanager
    def inject(trial: Trial) -> Iterator[None]:
        with trial.stack.links.rules(links, rule):
            yield

    return inject


def to_kafka(client: str) -> list[Link]:
    return [(client, broker) for broker in BROKERS]


def between_brokers(broker: str) -> list[Link]:
    """Return the links of one broker with the others, brokers and controllers, in both directions."""
    others = [each for each in BROKERS if each != broker]
    return [
        (client, f"{server}{suffix}")
        for other in others
        for client, server in ((broker, other), (other, broker))
        for suffix in ("", ports.CONTROLLER_SUFFIX)
    ]


def dies_at(point: str) -> Inject:
    """Arm a point (death_points/sitecustomize.py), and wait until a process has died there."""

    @contextmanager
    def inject(trial: Trial) -> Iterator[None]:
        armed = trial.stack.death_points / point
        armed.touch()
        try:
            eventually(lambda: not armed.exists() or not _hurry(trial), within=30, every=0.05)
            assert not armed.exists(), f"no process came to {point}"
        finally:
            armed.unlink(missing_ok=True)
        yield

    return inject


def _hurry(trial: Trial) -> bool:
    with suppress(AssertionError, requests.RequestException):
        trial.place_and_change()
    return True


@contextmanager
def brokers_away(trial: Trial) -> Iterator[None]:
    trial.stack.run("stop", *BROKERS)
    try:
        yield
    finally:
        trial.stack.run("start", *BROKERS)


@contextmanager
def two_of_each(trial: Trial) -> Iterator[None]:
    """Run a second producer, which half of the customers use, and a second relay; kill both at the end."""
    stack = trial.stack
    paths, settings = Paths(stack.home), load_settings()
    port, heartbeat = next(ports.free_ports()), paths.run / "second.heartbeat"

    def begin(service: str, *module: str) -> "subprocess.Popen[bytes]":
        environment = app_environment(service, paths, addresses_of(stack), settings)
        log = running.enter_context((stack.home / "logs" / f"second-{service}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=PRODUCER_FOLDER,
            env=os.environ | environment | {"RELAY_HEARTBEAT_FILE": str(heartbeat)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        running.callback(end, process)
        return process

    def end(process: "subprocess.Popen[bytes]") -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)

    with ExitStack() as running:
        second = [
            begin(PRODUCER, "gunicorn", "--bind", f"127.0.0.1:{port}", "producer:create_app()"),
            begin(RELAY, "producer.relay"),
        ]
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(url), within=40)
        eventually(heartbeat.exists, within=40)
        trial.urls.append(url)
        try:
            yield
            before = heartbeat.stat().st_mtime_ns
            eventually(lambda: heartbeat.stat().st_mtime_ns > before, within=20)
            assert all(process.poll() is None for process in second), "a second one ended"
        finally:
            for process in second:
                os.killpg(process.pid, signal.SIGKILL)
            trial.urls.remove(url)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health/ready", timeout=5).status_code == 200
    except requests.RequestException:
        return False


@contextmanager
def everything_restarted(trial: Trial) -> Iterator[None]:
    """`restart` each service in turn, with a pause so that orders come in between."""
    for service in NAMES:
        trial.stack.run("restart", service)
        threading.Event().wait(0.5)
    yield


KILL, TERM = signal.SIGKILL, signal.SIGTERM
# Those on the way of an order to its viewers.
APPS = (PRODUCER, RELAY, CONSUMER)
ONE_BROKER = between_brokers(BROKERS[0])
ITS_DATABASE = [(PROJECTOR, POSTGRES)]
CUT, SLOW = Rule(cut=True), Rule(delay_s=SLOW_S)

FAULTS = [
    *(
        Fault(f"{word}: {service}", sent(number, service), 30, takes_orders=service in (RELAY, CONSUMER))
        for number, word in ((KILL, "kill -9"), (TERM, "SIGTERM"))
        for service in APPS
    ),
    Fault("kill -9: projector", sent(KILL, PROJECTOR), 30, takes_orders=True),
    Fault("SIGTERM: projector", sent(TERM, PROJECTOR), 30, takes_orders=True),
    Fault("kill -9: postgres", sent(KILL, POSTGRES), 30),
    # To PostgreSQL, SIGTERM says: take no new sessions, and end when the last one has gone. SIGINT is the orderly end.
    Fault("SIGINT: postgres", sent(signal.SIGINT, POSTGRES), 30),
    *(
        fault
        for number, word in ((KILL, "kill -9"), (TERM, "SIGTERM"))
        for fault in (
            Fault(f"{word}: each broker in turn", one_by_one(number, *BROKERS), 60, takes_orders=True),
            Fault(f"{word}: two of three brokers", sent(number, *BROKERS[:2]), 60, takes_orders=True),
            Fault(f"{word}: all brokers", sent(number, *BROKERS), 90, takes_orders=True),
        )
    ),
    Fault("kill -9: the leader of a partition", leader_killed, 60, takes_orders=True),
    *(
        Fault(
            f"SIGSTOP {FROZEN_S} s: {service}",
            frozen(service),
            60,
            FROZEN_S,
            takes_orders=service not in (PRODUCER, POSTGRES),
        )
        for service in (*APPS, PROJECTOR, *BROKERS, POSTGRES)
    ),
    Fault(f"SIGSTOP {FROZEN_S} s: two of three brokers", frozen(*BROKERS[1:]), 60, FROZEN_S, takes_orders=True),
    Fault(f"SIGSTOP {FROZEN_S} s: all brokers", frozen(*BROKERS), 90, FROZEN_S, takes_orders=True),
    Fault(f"cut {CUT_S} s: producer and PostgreSQL", between([(PRODUCER, POSTGRES)], CUT), 30, CUT_S),
    Fault(f"cut {CUT_S} s: relay and PostgreSQL", between([(RELAY, POSTGRES)], CUT), 60, CUT_S, takes_orders=True),
    *(
        Fault(f"cut {CUT_S} s: {app} and Kafka", between(to_kafka(app), CUT), 60, CUT_S, takes_orders=True)
        for app in APPS
    ),
    Fault(f"cut {CUT_S} s: projector and PostgreSQL", between(ITS_DATABASE, CUT), 60, CUT_S, takes_orders=True),
    Fault(f"cut {CUT_S} s: projector and Kafka", between(to_kafka(PROJECTOR), CUT), 60, CUT_S, takes_orders=True),
    Fault(f"cut {CUT_S} s: one broker and the others", between(ONE_BROKER, CUT), 60, CUT_S, takes_orders=True),
    Fault(f"cut {CUT_S} s: customers and producer", between([(OUTSIDE, PRODUCER)], CUT), 30, CUT_S),
    Fault(f"cut {CUT_S} s: viewers and consumer", between([(OUTSIDE, CONSUMER)], CUT), 40, CUT_S, takes_orders=True),
    Fault("200 ms later: everything between any two", between([(ANY, ANY)], SLOW), 60, CUT_S),
    Fault("200 ms later: one broker and the others", between(ONE_BROKER, SLOW), 60, CUT_S, takes_orders=True),
    Fault("the producer dies before a commit", dies_at("before-commit"), 30),
    Fault("the producer dies after a commit, before its answer", dies_at("after-commit"), 30),
    Fault("the producer dies after its event is in Kafka", dies_at("producer-after-produce"), 30),
    Fault("the relay dies after its event is in Kafka", dies_at("relay-after-produce"), 30, takes_orders=True),
    Fault("the relay dies after reading back, before the delete", dies_at("after-read-back"), 30, takes_orders=True),
    Fault("two relays and two producers, two of them killed", two_of_each, 30, CUT_S),
    Fault(f"all brokers away for {AWAY_S:.0f} s", brokers_away, 90, AWAY_S, takes_orders=True),
    Fault("every service restarted in turn", everything_restarted, 60),
]  # fmt: skip

# About two minutes of them, for every change.
QUICK = (
    "kill -9: producer",
    "kill -9: all brokers",
    "kill -9: postgres",
    "cut 10 s: relay and Kafka",
    "the producer dies after a commit, before its answer",
    "the relay dies after its event is in Kafka",
    "the relay dies after reading back, before the delete",
)
