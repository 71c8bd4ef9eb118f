"""Whether a service does its work, asked in the way its clients would."""

import json
import socket
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import time
from urllib.error import HTTPError

import psycopg2
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local_stack.services import Addresses

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
TIMEOUT_S = 2
OLDEST_HEARTBEAT_S = 15


@dataclass(frozen=True)
class Finding:
    state: str
    detail: str = ""


@dataclass(frozen=True)
class Health:
    addresses: Addresses
    heartbeat: Path

    def of(self, names: Iterable[str]) -> Mapping[str, Finding]:
        wanted = list(names)
        with ThreadPoolExecutor(max(1, len(wanted))) as pool:
            return dict(zip(wanted, pool.map(self._check, wanted), strict=True))

    def _check(self, name: str) -> Finding:
        match name:
            case "postgres":
                return _database(self.addresses.database_url)
            case "relay":
                return _heartbeat(self.heartbeat)
            case "producer":
                return _web(self.addresses.producer_url)
            case "consumer":
                return _web(self.addresses.consumer_url)
            case _:
                return _broker(self.addresses.brokers[name])


def _database(url: str) -> Finding:
    try:
        psycopg2.connect(url, connect_timeout=TIMEOUT_S).close()
    except psycopg2.OperationalError as error:
        return Finding(UNHEALTHY, " ".join(str(error).split()))
    return Finding(HEALTHY)


def _broker(address: str) -> Finding:
    """A broker is there when it answers and its cluster has let it in."""
    if not _listens(address):
        return Finding(UNHEALTHY)  # at once: the client would go on dialling until its time is up
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    try:
        members = client.list_topics(timeout=TIMEOUT_S).brokers.values()
    except KafkaException as error:
        return Finding(UNHEALTHY, error.args[0].str())
    is_member = address in (f"{member.host}:{member.port}" for member in members)
    return Finding(HEALTHY) if is_member else Finding(UNHEALTHY, "not yet a member of its cluster")


def _listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _web(url: str) -> Finding:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the user has
    try:
        with direct.open(f"{url}/health/ready", timeout=TIMEOUT_S) as reply:
            return Finding(HEALTHY if json.load(reply)["status"] == "ok" else DEGRADED)
    except HTTPError as error:
        return Finding(UNHEALTHY, error.read().decode(errors="replace").strip())
    except (OSError, ValueError, KeyError):
        return Finding(UNHEALTHY)


def _heartbeat(path: Path) -> Finding:
    try:
        age = time() - path.stat().st_mtime
    except FileNotFoundError:
        return Finding(UNHEALTHY, "no heartbeat")
    return (
        Finding(HEALTHY) if age < OLDEST_HEARTBEAT_S else Finding(UNHEALTHY, f"no heartbeat for {age:.0f} s")
    )
