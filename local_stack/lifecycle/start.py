"""Brings services up, in the order of what they need, and waits until they are healthy."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from time import monotonic

from local_stack.config import Settings
from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.lifecycle import steps, stop
from local_stack.lifecycle.health import DEGRADED, HEALTHY, UNHEALTHY, Finding, Health
from local_stack.lifecycle.preparation import Preparation
from local_stack.paths import Paths, write_private
from local_stack.ports import BROKERS
from local_stack.services import Addresses
from local_stack.supervisord import client, processes
from local_stack.supervisord.client import Supervisor

DEADLINE_S = 120
# A service may come back degraded and catch up; one that stays so is up all the same.
SETTLE_S = 10
PROCESSES_ALLOWED = 3


def start(
    paths: Paths,
    settings: Settings,
    environment: Mapping[str, str],
    wanted: Set[str],
    say: Callable[[str], None],
) -> bool:
    """Whether anything had to be started. What a failed or interrupted start began, it ends."""
    found = client.find(paths)
    running = _running(found)
    starting = wanted - running
    if found is None and stop.everything(paths):
        say("ended what a killed supervisord had left")
    try:
        addresses = Preparation(paths, settings, say).of(starting, running)
        write_private(paths.env, _lines(addresses.environment()))
        supervisor = found or client.launch(paths, environment)
        steps_environment = {**environment, **addresses.environment(), "KAFKA_TOPIC": settings.kafka_topic}
        Start(paths, supervisor, addresses, steps_environment, say).run(starting, running, wanted)
    except BaseException:
        if starting:
            with stop.undisturbed():
                _undo(paths, starting, supervised=found is not None, say=say)
        raise
    return bool(starting)


def _undo(paths: Paths, started: Set[str], supervised: bool, say: Callable[[str], None]) -> None:
    if processes.find(paths.home):
        say("ending what was started")
    if supervised:
        stop.some(paths, started)
    else:
        stop.everything(paths)


def _running(supervisor: Supervisor | None) -> set[str]:
    services = supervisor.services() if supervisor else {}
    return {name for name, seen in services.items() if seen.state != "stopped"}


def _lines(values: Mapping[str, str]) -> str:
    """For a shell and for simpler readers alike: nothing in these values needs a quote."""
    return "".join(f"{key}={value}\n" for key, value in values.items())


@dataclass(frozen=True)
class Start:
    paths: Paths
    supervisor: Supervisor
    addresses: Addresses
    environment: Mapping[str, str]
    say: Callable[[str], None]
    deadline: Deadline = field(default_factory=lambda: Deadline(DEADLINE_S))

    def run(self, starting: Set[str], running: Set[str], wanted: Set[str]) -> None:
        """The one-shots belong to the producer's start; it takes orders before there is a broker."""
        brokers = set(BROKERS)
        self.supervisor.start(sorted(starting & {"postgres", *brokers}))
        self._wait(starting & {"postgres"})
        if "producer" in starting:
            self._step(steps.MIGRATE)
            self.supervisor.start(["producer"])
        self._wait(starting & brokers)
        if "producer" in starting and brokers <= starting | running:
            self._step(steps.TOPICS)
        self.supervisor.start(sorted(starting & {"relay", "consumer"}))
        self._wait(wanted - (starting & {"postgres", *brokers}))

    def _step(self, step: tuple[str, str, tuple[str, ...]]) -> None:
        began = monotonic()
        steps.run(step, self.paths, self.environment, self.deadline)
        self.say(f"{step[0]:10} done     {monotonic() - began:5.1f} s")

    def _wait(self, names: Set[str]) -> None:
        """Until all of them are healthy; says so of each."""
        began = monotonic()
        watch = Watch(self.paths)
        health = Health(self.addresses, self.paths.heartbeat)
        pending = dict.fromkeys(names, Finding(UNHEALTHY))

        def all_up() -> bool:
            watch.see(self.supervisor.services(), pending)
            pending.update(health.of(pending))
            passed = monotonic() - began
            for name, state in [(name, finding.state) for name, finding in pending.items()]:
                if state == HEALTHY or (state == DEGRADED and passed > SETTLE_S):
                    del pending[name]
                    self.say(f"{name:10} {state:8} {passed:5.1f} s")
            return not pending

        if not self.deadline.poll(all_up):
            late, finding = min(pending.items())
            reason = f"{finding.detail}; " if finding.detail else ""
            raise StackError(f"{late} did not become healthy in {DEADLINE_S} s: {reason}{watch.log(late)}")


class Watch:
    """Counts the processes that each service has used up: some restarts are healing, many are none."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._processes: dict[str, set[int]] = {}

    def see(self, services: Mapping[str, client.Seen], names: Iterable[str]) -> None:
        for name in names:
            seen = self._processes.setdefault(name, set())
            seen.add(services[name].started)
            if len(seen) > PROCESSES_ALLOWED:
                raise StackError(f"{name} does not stay up: {self.log(name)}")

    def log(self, name: str) -> str:
        log = self._paths.log(name)
        return f"{steps.last_line(log)} (all of it in {log})"
