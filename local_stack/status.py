import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from local_stack import ports, postgres, processes, supervision
from local_stack.health import HEALTHY, UNHEALTHY, Finding, Health
from local_stack.layout import Layout
from local_stack.services import NAMES, Addresses
from local_stack.supervision import Seen

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


def of(layout: Layout) -> list[Status]:
    seen = _seen(layout)
    alive = {name for name, service in seen.items() if service.pid}
    health = Health(addresses(layout), layout.heartbeat).of(alive) if alive else {}
    return combine(seen, health)


def combine(seen: Mapping[str, Seen], health: Mapping[str, Finding]) -> list[Status]:
    nothing = Seen("stopped", 0, 0)
    services = ((name, seen.get(name, nothing)) for name in NAMES)
    return [Status(name, it.state, it.pid or None, health.get(name, UNKNOWN).state) for name, it in services]


def addresses(layout: Layout) -> Addresses:
    return Addresses.of(ports.kept(layout.ports), postgres.password(layout))


def _seen(layout: Layout) -> Mapping[str, Seen]:
    """From the supervisor, or without one from what it left running."""
    if supervisor := supervision.find(layout):
        return supervisor.services()
    found = processes.find(layout.home)
    return {name: Seen(UNSUPERVISED, family[0].pid, 0) for name, family in found.items()}


def as_json(statuses: Sequence[Status]) -> str:
    return json.dumps([asdict(status) for status in statuses])


def as_table(statuses: Sequence[Status]) -> str:
    rows = [("SERVICE", "STATE", "PID", "HEALTH")]
    rows += [(status.name, status.state, str(status.pid or "-"), status.health) for status in statuses]
    return "\n".join("{:10} {:13} {:>8}  {}".format(*row) for row in rows)


def notes(layout: Layout, statuses: Sequence[Status]) -> list[str]:
    if all(status.state == "stopped" for status in statuses):
        return []
    lost = (
        []
        if not any(status.state == UNSUPERVISED for status in statuses)
        else ["supervisord was killed: nothing restarts what dies now, until the next start."]
    )
    return [*lost, *urls(layout)]


def urls(layout: Layout) -> list[str]:
    where = addresses(layout)
    return [
        f"Checkout    {where.producer_url}",
        f"Dashboard   {where.consumer_url}",
        "Kafka UI    none in native mode",
        f"Addresses   {layout.env}",
        f"Logs        {layout.logs}",
    ]
