"""Start services in the order of their dependencies and wait until they are healthy."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from time import monotonic

from local_stack import addresses, ports
from local_stack.addresses import Addresses
from local_stack.config import Settings
from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.lifecycle import revisions, steps, stop
from local_stack.lifecycle.crash_loop import CrashLoopDetector
from local_stack.lifecycle.health import DEGRADED, HEALTHY, UNHEALTHY, CheckResult, HealthChecks
from local_stack.lifecycle.logs import last_line
from local_stack.lifecycle.preparation import Preparation
from local_stack.lifecycle.programs import app_environment
from local_stack.lifecycle.reload import reload
from local_stack.paths import Paths, write_private
from local_stack.services import (
    BROKERS,
    CDC,
    KAFKA_UI,
    MORE_PROJECTORS,
    POSTGRES,
    PRODUCER,
    PROJECTOR,
    RELAY,
    WEB,
    ZOOKEEPERS,
)
from local_stack.supervisord import client, daemon, processes
from local_stack.supervisord.client import Supervisor

TIMEOUT_S = 120
# A service may return degraded and then catch up. One that stays degraded for so long counts as started. Not while
# another one is still to come up: it may be what is missing.
SETTLE_S = 10


def start(
    paths: Paths,
    settings: Settings,
    environment: Mapping[str, str],
    wanted: Set[str],
    say: Callable[[str], None],
) -> bool:
    """Start the wanted services that do not run yet, and anew those that run from code of before or on another
    port. Return whether there were any.

    When the start fails or is interrupted, stop what it has started, then raise."""
    found = client.connect(paths)
    running, reloaded = _running(found), False
    if found is None and stop.stop_all(paths):
        say("stopped processes that a killed supervisord had left behind")
    if found is not None and revisions.STACK in revisions.outdated(paths, running):
        say("local_stack/ or its packages have changed since the start: restarting everything that runs")
        stop.stop_all(paths)
        kept = running - _retired(settings, running) - _surplus(settings, running)
        found, wanted, running = None, wanted | kept, set()
    if PRODUCER in wanted and (retired := _retired(settings, running)):
        say(f"PUBLISHER={settings.publisher} needs no {' and no '.join(sorted(retired))}: stopping them")
        stop.stop_services(paths, retired)
        running -= retired
    if PROJECTOR in wanted and (surplus := _surplus(settings, running)):
        say(f"PROJECTORS={settings.projectors}: stopping {' '.join(sorted(surplus))}")
        stop.stop_services(paths, surplus)
        running -= surplus
    if stale := wanted & _stale(paths, settings, running):
        say(f"changed since the start: restarting {' '.join(sorted(stale))}")
        changed = _moved(paths, settings) or settings.is_other_publisher(paths)
        if found and PRODUCER in stale and not changed and _is_serving(paths):
            _reload_producer(paths, settings, environment, found, say)
            stale -= {PRODUCER}
            reloaded = True
        if stale:
            stop.stop_services(paths, stale)
        running -= stale
    starting = wanted - running
    try:
        addresses = Preparation(paths, settings, say).run(starting, running)
        if PRODUCER in wanted:
            settings.remember_publisher(paths)
        if PROJECTOR in wanted:
            settings.remember_projectors(paths)
        write_private(paths.env, _env_file(addresses.environment()))
        revisions.record(paths, starting if found else starting | {revisions.STACK})
        supervisor = found or daemon.launch(paths, environment)
        programs = StepEnvironments(paths, settings, environment, addresses)
        Startup(paths, supervisor, addresses, programs, say).run(starting, running, wanted)
    except BaseException:
        if starting:
            with stop.signals_ignored():
                _roll_back(paths, starting, supervised=found is not None, say=say)
        raise
    return bool(starting) or reloaded


def _roll_back(paths: Paths, started: Set[str], supervised: bool, say: Callable[[str], None]) -> None:
    if processes.find(paths.home):
        say("stopping what was started")
    if supervised:
        stop.stop_services(paths, started)
    else:
        stop.stop_all(paths)


def _stale(paths: Paths, settings: Settings, running: Set[str]) -> set[str]:
    """Return the running apps that a start has to restart: their code, a page's port or who publishes has changed."""
    stale = revisions.outdated(paths, running)
    if stale & {PRODUCER, RELAY}:
        stale |= {PRODUCER, RELAY}  # the same code, and the producer's start migrates the database
    if _moved(paths, settings):
        stale |= set(WEB)  # each page links to the others
    if settings.is_other_publisher(paths):
        stale |= {
            PRODUCER,
            RELAY,
            KAFKA_UI,
        }  # the migrator makes or drops the slot; Kafka UI shows the connector
    return stale & running


def _retired(settings: Settings, running: Set[str]) -> Set[str]:
    """Return what runs only for another publisher."""
    return running & (set(CDC) - settings.cdc)


def _surplus(settings: Settings, running: Set[str]) -> Set[str]:
    """Return the instances of the projector that are more than the settings say."""
    return running & (set(MORE_PROJECTORS) - settings.more_projectors)


def _moved(paths: Paths, settings: Settings) -> bool:
    """Return whether a page is to have another port."""
    last = ports.load(paths.ports)
    return any(port and port != last.get(name) for name, port in settings.explicit_ports().items())


def _is_serving(paths: Paths) -> bool:
    """Return whether the producer answers: one that hangs, or does not come up, is started anew."""
    checks = HealthChecks(addresses.load(paths), paths)
    return checks.run([PRODUCER])[PRODUCER].health != UNHEALTHY


def _reload_producer(
    paths: Paths,
    settings: Settings,
    environment: Mapping[str, str],
    supervisor: Supervisor,
    say: Callable[[str], None],
) -> None:
    """Migrate the database, then replace the producer's workers. Old and new ones run side by side for a moment, as
    replicas do with Docker, so a migration must leave the database usable for both. Code that cannot be loaded is
    found before: gunicorn would end the old workers all the same."""
    environments = StepEnvironments(paths, settings, environment, addresses.load(paths))
    steps.CHECK.run(paths, environments.of(steps.CHECK), Deadline(TIMEOUT_S))
    steps.MIGRATE.run(paths, environments.of(steps.MIGRATE), Deadline(TIMEOUT_S))
    reload(PRODUCER, supervisor.services()[PRODUCER].pid, paths.log(PRODUCER))
    revisions.record(paths, {PRODUCER})
    say(f"{PRODUCER:10} reloaded; no request was refused")


def _running(supervisor: Supervisor | None) -> set[str]:
    services = supervisor.services() if supervisor else {}
    return {name for name, info in services.items() if info.state != client.STOPPED}


def _env_file(variables: Mapping[str, str]) -> str:
    """Return lines for a shell and for simpler readers alike: no value here needs quoting."""
    return "".join(f"{key}={value}\n" for key, value in variables.items())


@dataclass(frozen=True)
class StepEnvironments:
    """The variables of the one-shot steps."""

    paths: Paths
    settings: Settings
    user: Mapping[str, str]
    addresses: Addresses

    def of(self, step: steps.Step) -> Mapping[str, str]:
        """Return the owner's address for the migrator, for all others those of the producer."""
        own = app_environment(PRODUCER, self.paths, self.addresses, self.settings)
        if step is steps.MIGRATE:
            own |= {"DATABASE_URL": self.addresses.owner_url, "SECRETS": str(self.paths.secrets)}
        return {**self.user, **own}


@dataclass(frozen=True)
class Startup:
    """One run of the start sequence, with one deadline for all its waits."""

    paths: Paths
    supervisor: Supervisor
    addresses: Addresses
    environments: StepEnvironments
    say: Callable[[str], None]
    deadline: Deadline = field(default_factory=lambda: Deadline(TIMEOUT_S))

    def run(self, starting: Set[str], running: Set[str], wanted: Set[str]) -> None:
        """Start the stores, then the apps, and wait for all wanted services.

        The producer accepts orders before there is a broker, and its topic."""
        brokers, ensemble = set(BROKERS), set(ZOOKEEPERS)
        stores = {POSTGRES, *ensemble, *brokers}
        self.supervisor.start(sorted(starting & {POSTGRES, *ensemble}))
        self._wait(starting & ensemble)
        self.supervisor.start(sorted(starting & brokers))
        self._wait(starting & {POSTGRES})
        if PRODUCER in starting:
            self._run_step(steps.MIGRATE)
            self.supervisor.start([PRODUCER])
        self._wait(starting & brokers)
        # The producer may run already: it was started without brokers, or its start was killed before this step.
        if PRODUCER in wanted and starting and brokers <= starting | running:
            self._run_step(steps.TOPICS)
        self.supervisor.start(sorted(starting - stores - {PRODUCER}))
        self._wait(wanted - (starting & stores))

    def _run_step(self, step: steps.Step) -> None:
        began = monotonic()
        step.run(self.paths, self.environments.of(step), self.deadline)
        self.say(f"{step.name:10} done     {monotonic() - began:5.1f} s")

    def _wait(self, names: Set[str]) -> None:
        """Wait until all of these services are healthy, and report each one when it is."""
        began = settling = monotonic()
        crash_loops = CrashLoopDetector(self.paths)
        checks = HealthChecks(self.addresses, self.paths)
        pending = dict.fromkeys(names, CheckResult(UNHEALTHY))

        def all_up() -> bool:
            nonlocal settling
            crash_loops.observe(self.supervisor.services(), pending)
            pending.update(checks.run(pending))
            passed = monotonic() - began
            if UNHEALTHY in [result.health for result in pending.values()]:
                settling = monotonic()
            has_settled = monotonic() - settling > SETTLE_S
            for name, health in [(name, result.health) for name, result in pending.items()]:
                if health == HEALTHY or (health == DEGRADED and has_settled):
                    del pending[name]
                    self.say(f"{name:10} {health:8} {passed:5.1f} s")
            return not pending

        if not self.deadline.poll(all_up):
            late = min(pending)
            detail = pending[late].detail
            reason = f"{detail}; " if detail else ""
            last = last_line(self.paths.log(late))
            raise StackError(f"{late} did not become healthy in {TIMEOUT_S} s: {reason}{last}")
