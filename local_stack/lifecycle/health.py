"""Check whether each service does its work, by a request like those of its clients."""

import json
import re
import socket
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any
from urllib.error import HTTPError

import psycopg2
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local_stack import services
from local_stack.addresses import Addresses
from local_stack.paths import Paths

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
TIMEOUT_S = 2
MAX_HEARTBEAT_AGE_S = 15
MAX_ANSWER_BYTES = 4096
OLD_EVENT_S = 30  # as the producer judges it (producer/web/health.py)
LEADS = "leads the ensemble"
NO_QUORUM = (
    "no quorum: no two of the three ZooKeepers see each other; the brokers go on serving, but no partition gets another"
    " leader and no replica leaves the set in sync"
)


@dataclass(frozen=True)
class CheckResult:
    """The health of one service, and the reason if it is not healthy and the reason is known."""

    health: str
    detail: str = ""


@dataclass(frozen=True)
class HealthChecks:
    addresses: Addresses
    paths: Paths

    def run(self, names: Iterable[str]) -> Mapping[str, CheckResult]:
        """Check these services, all at the same time."""
        wanted = list(names)
        with ThreadPoolExecutor(max(1, len(wanted))) as pool:
            return dict(zip(wanted, pool.map(self._check, wanted), strict=True))

    def _check(self, name: str) -> CheckResult:
        match name:
            case services.POSTGRES:
                return _check_database(self.addresses.owner_url)
            case services.RELAY:
                return _check_heartbeat(self.paths.heartbeat)
            case services.CONNECT:
                return _check_connect(self.addresses.connect_url)
            case services.CONNECTOR:
                return _check_connector(self.paths.connector_heartbeat)
            case services.PRODUCER:
                return _check_web(self.addresses.producer_url)
            case services.CONSUMER:
                return _check_web(self.addresses.consumer_url)
            case services.PROJECTOR:
                return _check_web(self.addresses.projector_url)
            case services.KAFKA_UI:
                return _check_web(self.addresses.kafka_ui_url)
            case _ if name in services.MORE_PROJECTORS:
                return _check_web(self.addresses.more_projector_urls[name])
            case _ if name in services.ZOOKEEPERS:
                return _check_zookeeper(self.addresses.zookeepers[name])
            case _:
                return _check_broker(self.addresses.brokers[name])


def _check_database(url: str) -> CheckResult:
    try:
        psycopg2.connect(url, connect_timeout=TIMEOUT_S).close()
    except psycopg2.OperationalError as error:
        return CheckResult(UNHEALTHY, " ".join(str(error).split()))
    return CheckResult(HEALTHY)


def _check_broker(address: str) -> CheckResult:
    """Check that a broker answers and is a member of its cluster."""
    if not _listens(address):
        return CheckResult(UNHEALTHY)  # at once: the client would retry the connection until its timeout
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    try:
        members = client.list_topics(timeout=TIMEOUT_S).brokers.values()
    except KafkaException as error:
        return CheckResult(UNHEALTHY, error.args[0].str())
    is_member = address in (f"{member.host}:{member.port}" for member in members)
    return CheckResult(HEALTHY) if is_member else CheckResult(UNHEALTHY, "not yet a member of its cluster")


def _check_zookeeper(address: str) -> CheckResult:
    """Ask a ZooKeeper for its part in the ensemble, and tell which one leads."""
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
            connection.sendall(b"srvr")
            said = connection.makefile("rb").read(MAX_ANSWER_BYTES).decode(errors="replace")
    except OSError:
        return CheckResult(UNHEALTHY)
    mode = re.search(r"^Mode: (\w+)$", said, re.MULTILINE)
    if mode is None:
        return CheckResult(UNHEALTHY, NO_QUORUM)
    return CheckResult(HEALTHY, LEADS if mode[1] == "leader" else "")


def _listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _check_connect(url: str) -> CheckResult:
    """Check that the worker is a member of its cluster and can read its topics."""
    try:
        with _without_proxy().open(f"{url}/health", timeout=TIMEOUT_S):
            return CheckResult(HEALTHY)
    except HTTPError as error:
        return CheckResult(UNHEALTHY, " ".join(error.read().decode(errors="replace").split()))
    except OSError:
        return CheckResult(UNHEALTHY)


def _check_connector(path: Path) -> CheckResult:
    """Check that the connector's keeper is alive, and return what it says of the connector and its slot."""
    alive = _check_heartbeat(path)
    problem = json.loads(path.read_text())["problem"] if alive.health == HEALTHY else None
    return CheckResult(DEGRADED, problem) if problem else alive


def _without_proxy() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever the user has set


def _check_web(url: str) -> CheckResult:
    try:
        with _without_proxy().open(f"{url}/health/ready", timeout=TIMEOUT_S) as reply:
            body = json.load(reply)
            if body["status"] == "ok":
                return CheckResult(HEALTHY)
            return CheckResult(DEGRADED, degraded_detail(body))
    except HTTPError as error:
        return CheckResult(UNHEALTHY, error.read().decode(errors="replace").strip())
    except (OSError, ValueError, KeyError):
        return CheckResult(UNHEALTHY)


def degraded_detail(ready: dict[str, Any]) -> str:
    """Return why a service says `degraded`, and what to do about it, from the body of its /health/ready."""
    checks = ready.get("checks", {})
    outbox, breaker = checks.get("outbox", {}), checks.get("breaker", {})
    reasons = [
        f"{name}: {check.get('detail') or check['status']}"
        for name, check in checks.items()
        if check.get("status", "ok") != "ok"
    ]
    if parked := outbox.get("parked") or 0:
        reasons.append(f"Events that Kafka refused wait for a decision: {parked} (./start_project.sh parked)")
    if (oldest_s := outbox.get("oldest_s") or 0) > OLD_EVENT_S:
        reasons.append(f"{outbox.get('rows')} events wait to be published, the oldest for {oldest_s:.0f} s")
    if refusal := outbox.get("refusal"):
        reasons.append(refusal)
    if breaker.get("state") == "open":
        reasons.append(
            "Kafka does not acknowledge: events are left to the relay (the circuit breaker is open)"
        )
    return "; ".join(reasons)


def _check_heartbeat(path: Path) -> CheckResult:
    try:
        age = time() - path.stat().st_mtime
    except FileNotFoundError:
        return CheckResult(UNHEALTHY, "no heartbeat")
    if age < MAX_HEARTBEAT_AGE_S:
        return CheckResult(HEALTHY)
    return CheckResult(UNHEALTHY, f"no heartbeat for {age:.0f} s")
