"""What the containers promise, asked of what runs in them. The brokers and the topic: tests/e2e/test_durability.py."""

import re
import socket
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from local_stack.services import BROKERS, CONSUMER, POSTGRES, PRODUCER, PROJECTOR, RELAY
from tests.compose.stack import GATEWAY, SERVICES, ComposeStack

CONNECT = """
import os, sys, psycopg2
os.environ.pop("PGPASSFILE", None)
try:
    psycopg2.connect(host="postgres", dbname="orders", user=sys.argv[1], password=sys.argv[2] or None)
except psycopg2.OperationalError as error:
    print("refused:", error)
"""


def psql(project: ComposeStack, statement: str) -> list[str]:
    return project.compose(
        "exec", "-T", POSTGRES, "psql", "-U", "orders", "-d", "orders", "-Atc", statement
    ).splitlines()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("password_encryption", "scram-sha-256"),
        ("log_min_error_statement", "panic"),
        ("log_error_verbosity", "terse"),
        ("data_directory_mode", "0700"),
        ("data_directory", "/var/lib/postgresql/18/docker"),
        ("max_connections", "100"),
        ("server_encoding", "UTF8"),
    ],
)
def test_setting_of_postgresql_is_in_effect(project: ComposeStack, setting: str, value: str) -> None:
    assert psql(project, f"SHOW {setting}") == [value]


@pytest.mark.parametrize("role", ["orders", PRODUCER, RELAY])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_postgresql_refuses_who_does_not_know_the_password(
    project: ComposeStack, role: str, password: str
) -> None:
    said = project.compose("exec", "-T", PRODUCER, "python", "-c", CONNECT, role, password)
    assert said.startswith("refused:")
    assert "password" in said


def test_containers_from_elsewhere_are_asked_for_a_password(project: ComposeStack) -> None:
    """The image's own rules let in whoever is in the container itself; those of the network come last."""
    rules = psql(
        project,
        "SELECT auth_method FROM pg_hba_file_rules WHERE address IS DISTINCT FROM '127.0.0.1' "
        "AND address IS DISTINCT FROM '::1' AND type <> 'local'",
    )
    assert set(rules) == {"scram-sha-256"}


def test_ports_are_on_loopback_only(project: ComposeStack) -> None:
    published = {
        (container["Config"]["Labels"]["com.docker.compose.service"], binding["HostIp"])
        for container in project.containers()
        for bindings in (container["NetworkSettings"]["Ports"] or {}).values()
        for binding in bindings or []
    }
    # The brokers' are the tests' own (reachable.yml).
    assert published == {(name, "127.0.0.1") for name in (GATEWAY, *BROKERS)}


def test_pages_do_not_answer_on_the_other_addresses_of_this_machine(project: ComposeStack) -> None:
    addresses = [
        each.address
        for name, interface in psutil.net_if_addrs().items()
        for each in interface
        if each.family == socket.AF_INET and not each.address.startswith("127.") and not is_bridge(name)
    ]
    for address in addresses:
        for service in ("PRODUCER_URL", "CONSUMER_URL"):
            with socket.socket() as client:
                client.settimeout(3)
                assert client.connect_ex((address, urlsplit(project.env[service]).port or 0)) != 0, address


def is_bridge(name: str) -> bool:
    """Docker's own: on engines before 28 packets from this machine to them are forwarded (docker-compose.yml)."""
    return name.startswith(("docker", "br-", "veth"))


def host_config(project: ComposeStack) -> dict[str, dict[str, Any]]:
    return {
        container["Config"]["Labels"]["com.docker.compose.service"]: container["HostConfig"]
        for container in project.containers(*SERVICES)
    }


def test_limits_and_restarts_are_in_effect(project: ComposeStack) -> None:
    found = host_config(project)
    assert {name: each["RestartPolicy"]["Name"] for name, each in found.items()} == dict.fromkeys(
        SERVICES, "unless-stopped"
    )
    megabytes = {name: each["Memory"] >> 20 for name, each in found.items()}
    assert megabytes == dict.fromkeys(BROKERS, 512) | {
        POSTGRES: 384,
        PRODUCER: 384,
        RELAY: 256,
        CONSUMER: 512,
        PROJECTOR: 256,
        GATEWAY: 128,
        "kafka-ui": 768,
    }
    for each in found.values():
        assert each["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "5m"}}


def test_time_to_stop_is_in_effect(project: ComposeStack) -> None:
    timeouts = {
        container["Config"]["Labels"]["com.docker.compose.service"]: container["Config"]["StopTimeout"]
        for container in project.containers(*SERVICES)
    }
    assert timeouts == dict.fromkeys(BROKERS, 8) | {
        POSTGRES: 60,
        PRODUCER: 20,
        RELAY: 10,
        CONSUMER: 15,
        PROJECTOR: 15,
        GATEWAY: 5,
        "kafka-ui": 5,
    }


def test_configuration_that_nginx_runs_with_is_ours(project: ComposeStack) -> None:
    shown = project.compose("exec", "-T", GATEWAY, "nginx", "-T")
    for directive in ("proxy_next_upstream error timeout;", "server_tokens off;", "limit_conn streams 2000;"):
        assert directive in shown
    assert re.findall(r"^\s*listen +(?!\[::\]|127)(\S+?);", shown, re.MULTILINE) == [
        "5001",
        "5002",
        "5003",
        "8080",
    ]
