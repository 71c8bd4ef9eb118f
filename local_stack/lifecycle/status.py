import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from local_stack import ports, postgres
from local_stack.lifecycle.health import HEALTHY, UNHEALTHY, Finding, Health
from local_stack.paths import Paths
from local_stack.services import NAMES, Addresses
from local_stack.supervisord import client, processes
from local_stack.supervisord.client import Seen

UNSUPERVISED = "unsupervised"
UNKNOWN = Finding(UNHEALTHY)


@dataclass(frozen=True)
class Status:
    name: str
    state: str
    pid: int | None
    health: str

    @property
    def good(self) -> bool:
        return self.state == "running" and self.health == HEALTHY


def of(paths: Paths) -> list[Status]:
    seen = _seen(paths)
    alive = {name for name, service in seen.items() if service.pid}
    health = Health(addresses(paths), paths.heartbeat).of(alive) if alive else {}
    return combine(seen, health)


def combine(seen: Mapping[str, Seen], health: Mapping[str, Finding]) -> list[Status]:
    nothing = Seen("stopped", 0, 0)
    services = ((name, seen.get(name, nothing)) for name in NAMES)
    return [Status(name, it.state, it.pid or None, health.get(name, UNKNOWN).state) for name, it in services]


def addresses(paths: Paths) -> Addresses:
    return Addresses.of(ports.kept(paths.ports), postgres.password(paths))


def _seen(paths: Paths) -> Mapping[str, Seen]:
    """From the supervisor, or without one from what it left running."""
    if supervisor := client.find(paths):
        return supervisor.services()
    found = processes.find(paths.home)
    return {name: Seen(UNSUPERVISED, family[0].pid, 0) for name, family in found.items()}


def as_json(statuses: Sequence[Status]) -> str:
    return json.dumps([asdict(status) for status in statuses])


def as_table(statuses: Sequence[Status]) -> str:
    rows = [("SERVICE", "STATE", "PID", "HEALTH")]
    rows += [(status.name, status.state, str(status.pid or "-"), status.health) for status in statuses]
    return "\n".join("{:10} {:13} {:>8}  {}".format(*row) for row in rows)


def notes(paths: Paths, statuses: Sequence[Status]) -> list[str]:
    if all(status.state == "stopped" for status in statuses):
        return []
    lost = (
        []
        if not any(status.state == UNSUPERVISED for status in statuses)
        else ["supervisord was killed: nothing restarts what dies now, until the next start."]
    )
    return [*lost, *urls(paths)]


def urls(paths: Paths) -> list[str]:
    where = addresses(paths)
    return [
        f"Checkout    {where.producer_url}",
        f"Dashboard   {where.consumer_url}",
        "Kafka UI    none in native mode",
        f"Addresses   {paths.env}",
        f"Logs        {paths.logs}",
    ]
