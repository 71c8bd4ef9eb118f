"""The hardening of every container: in the Compose file, and in what Docker made of it."""

import json
from typing import Any

import pytest

from db.roles import ROLES
from local_stack.services import APPS, BROKERS, CONSUMER, KAFKA_UI, POSTGRES, PRODUCER, PROJECTOR, RELAY
from tests.compose.stack import GATEWAY, ONE_SHOTS, SERVICES, ComposeStack, docker

ALL = (*SERVICES, *ONE_SHOTS)


@pytest.fixture(scope="module")
def config(running_stack: ComposeStack) -> dict[str, Any]:
    """The configuration as users run it, without what the tests add."""
    text = running_stack.compose("config", "--format", "json", COMPOSE_FILE="docker-compose.yml")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def containers(running_stack: ComposeStack) -> dict[str, dict[str, Any]]:
    return {
        container["Config"]["Labels"]["com.docker.compose.service"]: container
        for container in running_stack.containers()
    }


def test_hardening_tests_cover_all_services(config: dict[str, Any], containers: dict[str, Any]) -> None:
    assert set(config["services"]) == set(containers) == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_service_is_hardened_in_the_compose_file(config: dict[str, Any], name: str) -> None:
    service = config["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["mem_limit"]) > 0
    assert float(service["cpus"]) > 0
    assert service["pids_limit"] > 0
    assert service["logging"]["options"]["max-size"]
    assert not {"cap_add", "privileged", "container_name", "platform", "pid", "ipc"} & set(service)
    for port in service.get("ports", []):
        assert port["host_ip"] == "127.0.0.1"
    for volume in service.get("volumes", []):
        assert "docker.sock" not in volume["source"]
    assert service["image"].rpartition(":")[2] not in ("", "latest", service["image"])
    if name in SERVICES:
        assert service["restart"] == "unless-stopped"
        assert service["stop_grace_period"]


@pytest.mark.parametrize("name", ALL)
def test_service_is_hardened_in_its_container(containers: dict[str, Any], name: str) -> None:
    container = containers[name]
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Privileged"] is False
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert container["Config"]["User"] not in ("", "0", "root")
    if name in SERVICES:
        assert container["Config"]["Healthcheck"]["Test"]
        assert container["State"]["Health"]["Status"] == "healthy"
    else:
        assert container["State"]["ExitCode"] == 0


@pytest.mark.parametrize("name", SERVICES)
def test_no_process_is_root_or_has_a_capability(containers: dict[str, Any], name: str) -> None:
    pid = containers[name]["State"]["Pid"]
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines())
    assert status["Uid"].split()[0] != "0"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_no_password_is_in_an_environment_or_a_command(containers: dict[str, Any]) -> None:
    passwords = docker(
        "run", "--rm", "--volumes-from", containers["secrets"]["Id"], "--network", "none",
        containers["secrets"]["Config"]["Image"], "/bin/sh", "-c",
        "cat /secrets/owner/password; sed 's/.*://' /secrets/*/pgpass",
    ).split()  # fmt: skip
    assert len(set(passwords)) == 1 + len(ROLES)
    visible = json.dumps(
        [[each["Config"]["Env"], each["Config"]["Cmd"], each["Args"]] for each in containers.values()]
    )
    assert not [password for password in passwords if password in visible]


def test_container_mounts_only_its_own_password(containers: dict[str, Any]) -> None:
    mounts = {
        name: {
            mount["Destination"]
            for mount in container["Mounts"]
            if mount["Destination"].startswith("/secrets/")
        }
        for name, container in containers.items()
    }
    everything = {"/secrets/owner", *(f"/secrets/{role}" for role in ROLES)}
    assert mounts == {
        **{name: set() for name in ALL},
        "secrets": everything,
        "migrate": everything,
        POSTGRES: {"/secrets/owner"},
        PRODUCER: {"/secrets/producer"},
        RELAY: {"/secrets/relay"},
        PROJECTOR: {"/secrets/projector"},
        GATEWAY: {"/secrets/gateway"},
    }


CONNECT = "import socket; socket.create_connection(('{}', {}), 3)"


@pytest.mark.parametrize(
    ("name", "host", "port", "allowed"),
    [
        (CONSUMER, POSTGRES, 5432, False),
        (CONSUMER, BROKERS[0], 9092, True),
        (RELAY, GATEWAY, 5001, False),
        (RELAY, POSTGRES, 5432, True),
        (PRODUCER, POSTGRES, 5432, True),
        (PRODUCER, CONSUMER, 5002, True),
    ],
)
def test_service_reaches_only_its_peers(
    running_stack: ComposeStack, name: str, host: str, port: int, allowed: bool
) -> None:
    done = running_stack.try_compose("exec", "-T", name, "python", "-c", CONNECT.format(host, port))
    assert (done.returncode == 0) is allowed, done.stderr


def test_networks_have_only_their_members(config: dict[str, Any]) -> None:
    members: dict[str, set[str]] = {"edge": set(), "app": set(), "data": set(), "ui": set()}
    for name, service in config["services"].items():
        for network in service.get("networks", {}):
            members[network].add(name)
    assert members == {
        "edge": {GATEWAY, PRODUCER, CONSUMER, PROJECTOR},
        "ui": {GATEWAY, KAFKA_UI},
        "app": {*BROKERS, "topics", *APPS, KAFKA_UI},
        "data": {POSTGRES, "migrate", PRODUCER, RELAY, PROJECTOR},
    }
    assert all(config["networks"][name]["internal"] for name in ("app", "data", "ui"))


def test_only_the_gateway_publishes_ports(config: dict[str, Any]) -> None:
    assert {name for name, service in config["services"].items() if service.get("ports")} == {GATEWAY}


def test_images_of_our_own_are_named_after_the_project(config: dict[str, Any], project: ComposeStack) -> None:
    """Otherwise `restart` in one clone starts the images that another clone has built."""
    own = {service["image"] for service in config["services"].values() if "build" in service}
    assert own
    assert all(image.startswith(f"{project.settings['COMPOSE_PROJECT_NAME']}/") for image in own)


def test_dns_is_closed_where_requests_would_wait_for_stopped_services(config: dict[str, Any]) -> None:
    without_dns = {name for name, service in config["services"].items() if "dns" in service}
    assert without_dns == {GATEWAY, PRODUCER, PROJECTOR}


def test_consumer_image_has_no_database_driver(running_stack: ComposeStack) -> None:
    done = running_stack.try_compose("exec", "-T", CONSUMER, "python", "-c", "import psycopg2")
    assert done.returncode != 0


def test_container_file_system_is_read_only(running_stack: ComposeStack) -> None:
    for name in APPS:
        for path in ("/app/producer.py", "/venv/x", "/etc/x", "/secrets/producer/x"):
            done = running_stack.try_compose("exec", "-T", name, "/bin/sh", "-c", f"touch {path}")
            assert done.returncode != 0, (name, path)


def test_orders_topic_has_three_replicas(running_stack: ComposeStack) -> None:
    """The orders topic has three replicas of each partition, of which two must be in sync for a write."""
    text = running_stack.compose(
        "exec", "-T", BROKERS[0], "/opt/kafka/bin/kafka-topics.sh",
        "--bootstrap-server", f"{BROKERS[0]}:9092", "--describe", "--topic", "orders",
    )  # fmt: skip
    assert "PartitionCount: 6\tReplicationFactor: 3" in text
    assert "min.insync.replicas=2" in text
    assert "unclean.leader.election.enable=false" in text
