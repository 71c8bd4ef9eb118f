"""Report the state and the health of every service."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from local_stack import addresses
from local_stack.lifecycle.health import HEALTHY, UNHEALTHY, CheckResult, HealthChecks
from local_stack.paths import Paths
from local_stack.services import ALL, OPTIONAL
from local_stack.supervisord import client, processes
from local_stack.supervisord.client import RUNNING, STOPPED, ProcessInfo

UNSUPERVISED = "unsupervised"
NOT_RUNNING = ProcessInfo(STOPPED, 0, 0)
NOT_CHECKED = CheckResult(UNHEALTHY)


@dataclass(frozen=True)
class Status:
    """One service as `status` shows it; `detail` is shown below the table, the other fields are those of
    its JSON."""

    name: str
    state: str
    pid: int | None
    health: str
    detail: str = ""

    def as_dict(self) -> dict[str, str | int | None]:
        return {"name": self.name, "state": self.state, "pid": self.pid, "health": self.health}

    @property
    def ok(self) -> bool:
        return self.state == RUNNING and self.health == HEALTHY


def read(paths: Paths, optional: Set[str] = frozenset()) -> list[Status]:
    """Return the status of every service, in the order of their names in services.py.

    optional: those that the settings ask for; others of their kind are only shown when they run."""
    services = _read_processes(paths)
    alive = {name for name, info in services.items() if info.pid}
    results = HealthChecks(addresses.load(paths), paths).run(alive) if alive else {}
    return combine(services, results, optional)


def combine(
    services: Mapping[str, ProcessInfo],
    results: Mapping[str, CheckResult],
    optional: Set[str] = frozenset(),
) -> list[Status]:
    infos = {name: services.get(name, NOT_RUNNING) for name in ALL}
    hidden = {name for name in set(OPTIONAL) - optional if infos[name].state == STOPPED}
    found = ((name, info) for name, info in infos.items() if name not in hidden)
    return [
        Status(name, info.state, info.pid or None, result.health, " ".join(result.detail.split()))
        for name, info in found
        for result in [results.get(name, NOT_CHECKED)]
    ]


def _read_processes(paths: Paths) -> Mapping[str, ProcessInfo]:
    """Ask supervisord. If there is none, look for processes that it has left running."""
    if supervisor := client.connect(paths):
        return supervisor.services()
    found = processes.find(paths.home)
    return {name: ProcessInfo(UNSUPERVISED, family[0].pid, 0) for name, family in found.items()}


def as_json(statuses: Sequence[Status]) -> str:
    return json.dumps([status.as_dict() for status in statuses])


def as_table(statuses: Sequence[Status]) -> str:
    rows = [("SERVICE", "STATE", "PID", "HEALTH")]
    rows += [(status.name, status.state, str(status.pid or "-"), status.health) for status in statuses]
    width = max([10, *(len(status.name) for status in statuses)])
    return "\n".join(f"{row[0]:{width}} {row[1]:13} {row[2]:>8}  {row[3]}" for row in rows)


def notes(paths: Paths, statuses: Sequence[Status]) -> list[str]:
    """Return the lines below the table: why something is not healthy, a warning if supervisord was killed, and
    where everything is."""
    if all(status.state == STOPPED for status in statuses):
        return []
    warning = "supervisord was killed: a service that dies stays down until the next start."
    unsupervised = any(status.state == UNSUPERVISED for status in statuses)
    reasons = [f"{status.name}: {status.detail}" for status in statuses if status.detail]
    return [*reasons, *([warning] if unsupervised else []), *locations(paths)]


def locations(paths: Paths) -> list[str]:
    """Return the lines that tell where the pages, the addresses and the logs are."""
    urls = addresses.load(paths)
    return [
        f"Checkout    {urls.producer_url}",
        f"Dashboard   {urls.consumer_url}",
        f"Figures     {urls.consumer_url}/figures",
        f"Kafka UI    {urls.kafka_ui_url}",
        f"Addresses   {paths.env}",
        f"Logs        {paths.logs}",
    ]
