"""Whether a service does its work, asked in the way its clients would."""

import json
import socket
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import time

import psycopg2
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local_stack.services import Addresses

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
TIMEOUT_S = 2
OLDEST_HEARTBEAT_S = 15


@dataclass(frozen=True)
class Health:
    addresses: Addresses
    heartbeat: Path

    def of(self, names: Iterable[str]) -> Mapping[str, str]:
        wanted = list(names)
        with ThreadPoolExecutor(max(1, len(wanted))) as pool:
            return dict(zip(wanted, pool.map(self._check, wanted), strict=True))

    def _check(self, name: str) -> str:
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


def _database(url: str) -> str:
    try:
        psycopg2.connect(url, connect_timeout=TIMEOUT_S).close()
    except psycopg2.OperationalError:
        return UNHEALTHY
    return HEALTHY


def _broker(address: str) -> str:
    """A broker is there when it answers and its cluster has let it in."""
    if not _listens(address):
        return UNHEALTHY  # at once: the client would go on dialling until its time is up
    client = AdminClient(
        {"bootstrap.servers": address, "log_level": 0, "socket.timeout.ms": TIMEOUT_S * 1000}
    )
    try:
        members = client.list_topics(timeout=TIMEOUT_S).brokers.values()
    except KafkaException:
        return UNHEALTHY
    return HEALTHY if address in (f"{member.host}:{member.port}" for member in members) else UNHEALTHY


def _listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _web(url: str) -> str:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the user has
    try:
        with direct.open(f"{url}/health/ready", timeout=TIMEOUT_S) as reply:
            return HEALTHY if json.load(reply)["status"] == "ok" else DEGRADED
    except (OSError, ValueError, KeyError):  # a 503 is an OSError too
        return UNHEALTHY


def _heartbeat(path: Path) -> str:
    try:
        age = time() - path.stat().st_mtime
    except FileNotFoundError:
        return UNHEALTHY
    return HEALTHY if age < OLDEST_HEARTBEAT_S else UNHEALTHY
