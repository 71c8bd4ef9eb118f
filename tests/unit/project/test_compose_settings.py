"""What docker-compose.yml promises of every container: each setting as it is where nothing else is set."""

from typing import Any

import pytest

from db.roles import ROLES
from local_stack.services import (
    APPS,
    BROKERS,
    CONNECT,
    CONNECTOR,
    CONSUMER,
    KAFKA_UI,
    POSTGRES,
    PRODUCER,
    PROJECTOR,
    RELAY,
    STOP_POLICIES,
    ZOOKEEPERS,
)
from tests.compose.stack import GATEWAY, ONE_SHOTS, PROFILES
from tests.compose.stack import SERVICES as ALWAYS
from tests.unit.project import compose

COMPOSE = compose.read()
SERVICES = (*ALWAYS, *PROFILES)
ALL = (*SERVICES, *ONE_SHOTS)


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = COMPOSE["services"][name]
    return found


def of_all(key: str) -> dict[str, Any]:
    return {name: service(name).get(key) for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_container_can_neither_write_to_its_image_nor_gain_rights(name: str) -> None:
    assert service(name)["read_only"] is True
    assert service(name)["cap_drop"] == ["ALL"]
    assert service(name)["security_opt"] == ["no-new-privileges:true"]
    widening = {"cap_add", "privileged", "devices", "pid", "ipc", "userns_mode", "group_add", "extra_hosts"}
    assert not widening & set(service(name))


@pytest.mark.parametrize("name", ALL)
def test_logs_of_a_container_are_bounded(name: str) -> None:
    logging = {"driver": "json-file", "options": {"max-size": "5m", "max-file": "3"}}
    assert service(name)["logging"] == logging


def test_memory_processors_and_processes_of_a_container_are_bounded() -> None:
    brokers = dict.fromkeys(BROKERS, "512m")
    assert of_all("mem_limit") == brokers | {
        "secrets": "64m",
        "migrate": "192m",
        "topics": "128m",
        POSTGRES: "384m",
        PRODUCER: "384m",
        RELAY: "256m",
        CONSUMER: "512m",
        PROJECTOR: "256m",
        GATEWAY: "128m",
        KAFKA_UI: "768m",
        CONNECT: "768m",
        CONNECTOR: "128m",
    }
    assert set(of_all("cpus").values()) == {1}
    assert of_all("pids_limit") == dict.fromkeys(ALL, 128) | dict.fromkeys(BROKERS, 512) | dict.fromkeys(
        (KAFKA_UI, CONNECT), 256
    )


def test_services_come_back_by_themselves_and_one_shots_do_not() -> None:
    assert of_all("restart") == dict.fromkeys(SERVICES, "unless-stopped") | dict.fromkeys(ONE_SHOTS)


def test_each_service_has_the_time_it_needs_to_stop() -> None:
    brokers = dict.fromkeys(BROKERS, "8s")
    assert {name: service(name)["stop_grace_period"] for name in SERVICES} == brokers | {
        POSTGRES: "60s",
        PRODUCER: "20s",
        RELAY: "10s",
        CONSUMER: "15s",
        PROJECTOR: "15s",
        GATEWAY: "5s",
        KAFKA_UI: "5s",
        CONNECT: "10s",
        CONNECTOR: "5s",
    }
    assert of_all("stop_signal") == dict.fromkeys(ALL) | {GATEWAY: "SIGTERM"}


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_asked_how_it_is(name: str) -> None:
    check = dict(service(name)["healthcheck"])
    interval = "20s" if name == RELAY else "10s"
    times = {"timeout": "5s", "retries": 6, "start_period": "90s", "start_interval": "1s"}
    assert check.pop("test", None) == {
        POSTGRES: ["CMD", "pg_isready", "--quiet", "-h", "127.0.0.1", "-U", "orders", "-d", "orders"],
        **{broker: ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9092"] for broker in BROKERS},
        RELAY: ["CMD", "python", "-m", "producer.relay", "check"],
        GATEWAY: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8081/"],
        CONNECT: [
            "CMD",
            "curl",
            "--fail",
            "--silent",
            "--output",
            "/dev/null",
            "http://127.0.0.1:8083/health",
        ],
        CONNECTOR: ["CMD", "python", "-m", "producer.cdc", "check"],
        KAFKA_UI: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/actuator/health"],
    }.get(name)
    assert check == times | {"interval": interval}


def test_only_the_gateway_has_ports_and_they_are_on_loopback() -> None:
    pages = [f"127.0.0.1:{port}:{port}" for port in (5001, 5002, 5003, 8080)]
    assert of_all("ports") == dict.fromkeys(ALL) | {GATEWAY: pages}
    assert not [name for name in ALL if {"expose", "network_mode"} & set(service(name)) and name != "secrets"]
    assert service("secrets")["network_mode"] == "none"


def test_kafka_ui_stays_on_loopback_when_the_pages_are_opened_to_others() -> None:
    opened = compose.read(settings={"BIND_ADDRESS": "0.0.0.0"})
    assert opened["services"][GATEWAY]["ports"] == [
        "0.0.0.0:5001:5001",
        "0.0.0.0:5002:5002",
        "0.0.0.0:5003:5003",
        "127.0.0.1:8080:8080",
    ]


def test_each_container_is_in_the_networks_it_needs_and_only_one_network_leads_out() -> None:
    assert of_all("networks") == {broker: ["app"] for broker in BROKERS} | {
        "secrets": None,
        "migrate": ["data"],
        "topics": ["app"],
        POSTGRES: ["data"],
        PRODUCER: ["edge", "app", "data"],
        RELAY: ["app", "data"],
        CONSUMER: ["edge", "app"],
        PROJECTOR: ["edge", "app", "data"],
        GATEWAY: ["edge", "ui"],
        KAFKA_UI: ["ui", "app"],
        CONNECT: ["app", "data"],
        CONNECTOR: ["app", "data"],
    }
    internal = {
        "internal": True,
        "driver_opts": {"com.docker.network.bridge.gateway_mode_ipv4": "nat"},
    }
    edge = {"driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"}}
    assert COMPOSE["networks"] == {"edge": edge, "app": internal, "data": internal, "ui": internal}


def test_each_container_mounts_its_own_secret_read_only() -> None:
    mounts = {
        name: [mount for mount in service(name).get("volumes", []) if "secret" in str(mount)] for name in ALL
    }
    owner = "owner-secret:/secrets/owner:ro"
    assert {name: mount for name, mount in mounts.items() if mount} == {
        "secrets": [f"{name}-secret:/secrets/{name}" for name in ("owner", *ROLES)],
        "migrate": [owner, *(f"{name}-secret:/secrets/{name}:ro" for name in ROLES)],
        POSTGRES: [owner],
        PRODUCER: ["producer-secret:/secrets/producer:ro"],
        RELAY: ["relay-secret:/secrets/relay:ro"],
        PROJECTOR: ["projector-secret:/secrets/projector:ro"],
        CONNECT: ["connect-secret:/secrets/connect:ro"],
        CONNECTOR: ["connect-secret:/secrets/connect:ro"],
        GATEWAY: ["./deploy/gateway/secrets:/secrets/gateway:ro"],
    }


def test_no_password_is_in_an_environment_and_none_is_sent_to_who_took_the_name() -> None:
    roles = {"migrate": "orders", PRODUCER: PRODUCER, RELAY: RELAY, PROJECTOR: PROJECTOR, CONNECTOR: CONNECT}
    for name, role in roles.items():
        environment = service(name)["environment"]
        assert environment["DATABASE_URL"] == (
            f"postgresql://{role}@postgres:5432/orders?require_auth=scram-sha-256"
        )
        assert environment["PGPASSFILE"] == f"/secrets/{'owner' if name == 'migrate' else role}/pgpass"
    passwords = [
        (name, variable)
        for name in ALL
        for variable in service(name).get("environment", {})
        if "PASSWORD" in variable
    ]
    assert passwords == [(POSTGRES, "POSTGRES_PASSWORD_FILE")]


def test_data_of_each_store_is_in_a_volume_of_its_own() -> None:
    assert "postgres:/var/lib/postgresql" in service(POSTGRES)["volumes"]
    for broker in BROKERS:
        assert service(broker)["volumes"] == [f"{broker}:/var/lib/kafka/data"]
        assert service(broker)["environment"]["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"
    assert set(COMPOSE["volumes"]) == {
        POSTGRES,
        *BROKERS,
        *(f"{name}-secret" for name in ("owner", *ROLES)),
    }


def test_postgresql_loses_nothing_that_it_has_acknowledged() -> None:
    """Its defaults (fsync, synchronous_commit, full_page_writes: all on) stay as they are."""
    assert service(POSTGRES)["command"] == [
        "postgres",
        "-cshared_buffers=64MB",
        "-cmax_wal_size=512MB",
        "-cmax_connections=100",
        "-cwal_level=logical",
        "-cmax_slot_wal_keep_size=1GB",
        "-clog_min_error_statement=panic",
        "-clog_error_verbosity=terse",
    ]
    assert service(POSTGRES)["environment"] == {
        "POSTGRES_USER": "orders",
        "POSTGRES_DB": "orders",
        "POSTGRES_PASSWORD_FILE": "/secrets/owner/password",
        "POSTGRES_INITDB_ARGS": "--locale-provider=builtin --builtin-locale=C.UTF-8",
    }


@pytest.mark.parametrize("number", [1, 2, 3])
def test_brokers_lose_nothing_that_they_have_acknowledged(number: int) -> None:
    environment = service(f"kafka-{number}")["environment"]
    durable = {
        "KAFKA_MIN_INSYNC_REPLICAS": 2,
        "KAFKA_DEFAULT_REPLICATION_FACTOR": 3,
        "KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE": "false",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": 3,
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": 3,
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": 2,
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": 3,
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": 2,
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093",
        "KAFKA_NODE_ID": number,
        "KAFKA_ADVERTISED_LISTENERS": f"BROKER://kafka-{number}:9092",
    }
    assert {name: environment[name] for name in durable} == durable


def test_settings_of_the_topic_are_not_weakened() -> None:
    weakening = {"KAFKA_TOPIC_REPLICATION_FACTOR", "KAFKA_TOPIC_MIN_INSYNC_REPLICAS", "PUBLISHER"}
    for name in ("topics", *APPS):
        assert weakening & set(service(name)["environment"]) <= {"PUBLISHER"}
    assert service(PRODUCER)["environment"]["PUBLISHER"] == "direct"


def test_only_names_of_this_machine_are_trusted_and_kafka_ui_only_reads() -> None:
    for name in (PRODUCER, CONSUMER, PROJECTOR, GATEWAY):
        assert service(name)["environment"]["TRUSTED_HOSTS"] == "localhost,127.0.0.1,[::1],"
    assert service(KAFKA_UI)["environment"]["KAFKA_CLUSTERS_0_READONLY"] is True
    assert service(GATEWAY)["environment"]["BIND_ADDRESS"] == "127.0.0.1"


def test_each_container_waits_for_what_it_cannot_start_without() -> None:
    waits = {
        name: {other: each["condition"].removeprefix("service_") for other, each in (needs or {}).items()}
        for name, needs in of_all("depends_on").items()
    }
    done = "completed_successfully"
    assert {name: needs for name, needs in waits.items() if needs} == {
        POSTGRES: {"secrets": done},
        "migrate": {POSTGRES: "healthy"},
        "topics": dict.fromkeys(BROKERS, "healthy"),
        PRODUCER: {"migrate": done},
        RELAY: {"migrate": done, "topics": done},
        CONSUMER: {"topics": done},
        PROJECTOR: {"migrate": done, "topics": done},
        KAFKA_UI: {BROKERS[0]: "started"},
        CONNECT: dict.fromkeys(BROKERS, "healthy"),
        CONNECTOR: {"migrate": done, "topics": done, CONNECT: "started"},
    }


def test_images_of_others_are_of_one_version_and_nothing_runs_as_root() -> None:
    assert {service(name)["image"] for name in ALL if "build" not in service(name)} == {
        "postgres:18",
        "apache/kafka:4.3.1",
        "ghcr.io/kafbat/kafka-ui:v1.4.2",
        "quay.io/debezium/connect:3.7",
    }
    users = {name: user for name, user in of_all("user").items() if user}
    assert users == dict.fromkeys(BROKERS, "1000:1000") | {
        POSTGRES: "postgres",
        GATEWAY: "nginx",
        CONNECT: "1001:1001",
    }


def test_small_stack_has_one_replica_of_everything_and_its_ports_on_loopback() -> None:
    lite = compose.read("deploy/lite/docker-compose.yml")["services"]
    factors = {name: value for name, value in lite["kafka-1"]["environment"].items() if "REPLICATION" in name}
    assert set(factors.values()) == {1}
    assert lite["topics"]["environment"]["KAFKA_TOPIC_MIN_INSYNC_REPLICAS"] == 1
    assert lite[GATEWAY]["ports"] == [f"127.0.0.1:{port}:{port}" for port in (5001, 5002, 5003)]
    assert {name for name in lite if lite[name].get("profiles")} == {"kafka-2", "kafka-3", KAFKA_UI}


ZOOKEEPER = "deploy/zookeeper/docker-compose.yml"


def test_containers_of_zookeeper_have_what_every_container_has() -> None:
    added = compose.read(ZOOKEEPER)["services"]
    like = {"read_only", "cap_drop", "security_opt", "pids_limit", "cpus", "logging", "restart"}
    for name in ZOOKEEPERS:
        ours = added[name]
        assert {key: ours[key] for key in like} == {key: service(PRODUCER)[key] for key in like}
        assert (ours["user"], ours["mem_limit"], ours["networks"]) == ("1000:1000", "256m", ["zookeeper"])
        assert "ports" not in ours
        assert ours["volumes"] == [
            f"{name}:/var/lib/zookeeper/data",
            f"{name}-log:/var/lib/zookeeper/log",
        ]
        assert ours["healthcheck"]["retries"] * int(ours["healthcheck"]["interval"].removesuffix("s")) <= 10
        assert int(ours["stop_grace_period"].removesuffix("s")) == STOP_POLICIES[name].timeout_s


def test_only_brokers_reach_zookeeper_and_they_have_volumes_of_their_own() -> None:
    files = compose.read(ZOOKEEPER)
    members = {name for name, each in files["services"].items() if "zookeeper" in each.get("networks", [])}
    assert members == {*ZOOKEEPERS, *BROKERS}
    assert files["networks"]["zookeeper"] == COMPOSE["networks"]["app"]
    for number, name in enumerate(BROKERS, 1):
        ours = files["services"][name]
        assert ours["volumes"] == [f"kafka-zookeeper-{number}:/var/lib/kafka/data"]
        assert ours["depends_on"] == {each: {"condition": "service_healthy"} for each in ZOOKEEPERS}
        assert ours["networks"] == ["app", "zookeeper"]
        assert not {"read_only", "cap_drop", "security_opt", "user", "mem_limit", "logging"} & set(ours)
    assert not set(files["volumes"]) & set(COMPOSE["volumes"])


def test_brokers_are_of_the_version_of_their_zookeepers() -> None:
    images = {each["image"] for each in compose.read(ZOOKEEPER)["services"].values()}
    assert images == {"confluentinc/cp-kafka:7.9.2", "confluentinc/cp-zookeeper:7.9.2"}


def test_connect_is_only_started_when_it_is_asked_for() -> None:
    assert of_all("profiles") == dict.fromkeys(ALL) | {key: ["cdc"] for key in PROFILES}


def test_who_makes_the_replication_slot_and_who_waits_for_it_have_one_name_for_it() -> None:
    """A growth of the topic waits for it, which is run where the relay is."""
    services = compose.read(settings={"CDC_SLOT": "mine"})["services"]
    named = {name for name, each in services.items() if "mine" in (each.get("environment") or {}).values()}
    assert named == {"migrate", RELAY, CONNECTOR}


@pytest.mark.parametrize(("given", "topic"), [({}, "order-stats"), ({"KAFKA_STATS_TOPIC": ""}, "")])
def test_consumer_reads_no_figures_where_the_topic_is_empty(given: dict[str, str], topic: str) -> None:
    environment = compose.read(settings=given)["services"]["consumer"]["environment"]
    assert (environment["KAFKA_STATS_TOPIC"] or "") == topic
