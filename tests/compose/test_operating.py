"""What an operator types and sees: parked events, degraded services, logs, limits, what a reset deletes."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest
import requests

from local_stack.services import BROKERS, CONSUMER, PRODUCER, RELAY
from tests.compose.stack import GATEWAY, SERVICES, ComposeStack
from tests.e2e.dead_letters import give_up_dead_letters
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import clone

INSERT = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at, parked_at, parked_reason)
VALUES ('{id}', 'order', '{order}', 'order.placed', '{{}}', 1, false, now(), now(), 'too large')
"""


def psql(project: ComposeStack, statement: str) -> str:
    return project.compose(
        "exec", "-T", "postgres", "psql", "-U", "orders", "-d", "orders", "-Atc", statement
    )


@pytest.fixture
def parked(project: ComposeStack) -> str:
    """The id of an event that Kafka has refused, as the relay leaves it."""
    event_id = str(uuid.uuid4())
    psql(project, INSERT.format(id=event_id, order=uuid.uuid4()))
    return event_id


def test_parked_events_are_listed_and_discarded(project: ComposeStack, parked: str) -> None:
    assert parked in project.run("parked").stdout
    project.run("stop", RELAY)
    try:
        assert "too large" in project.run("parked").stdout  # also where no relay runs
    finally:
        project.run("start", RELAY)
    project.run("discard", parked)
    assert parked not in project.run("parked").stdout
    assert psql(project, f"SELECT count(*) FROM outbox_discarded WHERE id = '{parked}'").strip() == "1"


def test_parked_event_is_requeued(project: ComposeStack, parked: str) -> None:
    project.run("requeue", parked)
    assert parked not in project.run("parked").stdout
    eventually(lambda: psql(project, f"SELECT count(*) FROM outbox WHERE id = '{parked}'").strip() == "0")
    give_up_dead_letters(project)  # it was no event of an order


def test_ledger_counts_and_repairs(project: ComposeStack, shop: Shop) -> None:
    """With the rights of the producer's role. An order that was lost from the outbox goes back and is published."""
    project.run("stop", RELAY)
    try:
        order_id = shop.place()
        psql(project, f"DELETE FROM outbox WHERE aggregateid = '{order_id}'")
    finally:
        project.run("start", RELAY)
    assert project.run("ledger", "--repair", check=False).returncode in (0, 1)
    eventually(
        lambda: "in Kafka, partition" in project.run("ledger", "--order", order_id, check=False).stdout
    )


def test_figures_are_made_anew(project: ComposeStack, shop: Shop) -> None:
    order_id = shop.place()
    known = f"SELECT count(*) FROM projection.orders WHERE order_id = '{order_id}'"
    eventually(lambda: psql(project, known).strip() == "1", within=30)
    assert "The new figures have taken the place" in project.run("rebuild").stdout
    assert psql(project, known).strip() == "1"


@pytest.mark.parametrize("arguments", [["requeue"], ["discard", "a", "b"], ["requeue", str(uuid.uuid4())]])
def test_wrong_use_of_the_relay_commands_fails(project: ComposeStack, arguments: list[str]) -> None:
    done = project.run(*arguments, check=False)
    assert done.returncode == 1
    assert done.stderr.lower().startswith("error: ")


@pytest.mark.usefixtures("restored_stack")
def test_status_says_degraded_when_a_service_does(project: ComposeStack, shop: Shop) -> None:
    project.run("stop", *BROKERS)
    try:
        eventually(lambda: shop.health()["status"] == "degraded", within=30)
        eventually(lambda: project.services()[PRODUCER]["health"] == "degraded", within=30)
        assert project.run("status", check=False).returncode == 1
    finally:
        project.run("start", *BROKERS)


def test_status_prints_the_table_and_no_error(project: ComposeStack) -> None:
    done = project.run("status")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["SERVICE", *SERVICES]
    assert done.stderr == ""


def test_logs_shows_the_last_lines_only(project: ComposeStack) -> None:
    lines = project.run("logs", "kafka-1").stdout.splitlines()
    assert 0 < len(lines) <= 100
    assert len(project.run("logs", "--tail", "3", "kafka-1").stdout.splitlines()) == 3


def test_kafka_writes_its_logs_to_the_console_only(project: ComposeStack) -> None:
    for broker in BROKERS:
        files = project.compose("exec", "-T", broker, "find", "/opt/kafka/logs", "-type", "f").split()
        assert files == [], broker
        assert "Kafka Server started" in project.compose("logs", "--no-log-prefix", broker)


def test_gateway_has_two_workers_however_many_cores_there_are(project: ComposeStack) -> None:
    shown = project.compose("exec", "-T", GATEWAY, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert shown.count("nginx: worker process") == 2


def test_gateway_takes_bodies_as_large_as_the_producer(project: ComposeStack, shop: Shop) -> None:
    before = dict(project.settings)
    project.settings["MAX_BODY_BYTES"] = str(3 << 20)
    try:
        project.compose("up", "--detach", "--wait", "--no-deps", GATEWAY, PRODUCER)
        body = json.dumps({"orders": []}).encode().ljust(2 << 20)
        headers = {"Content-Type": "application/json"}

        def status() -> int:
            return requests.post(
                f"{shop.url}/orders/batch", data=body, headers=headers, timeout=20
            ).status_code

        assert eventually(lambda: (code := status()) != 503 and code) == 422
    finally:
        project.settings = before
        project.compose("up", "--detach", "--wait", "--no-deps", GATEWAY, PRODUCER)


def test_scale_beyond_the_connections_of_postgresql_is_refused(project: ComposeStack) -> None:
    done = project.run("scale", "producer=9", "relay=9", check=False)
    assert done.returncode == 1
    assert "producer=9, relay=9 and projector=1 may open" in done.stderr  # how many depends on the cores
    assert set(project.services()) >= {PRODUCER, RELAY, CONSUMER}
    assert "producer-2" not in project.services()


def test_reset_names_what_it_deletes(project: ComposeStack) -> None:
    done = subprocess.run(
        [*project.command, "reset"],
        cwd=project.folder,
        env=os.environ | project.environment,
        input="no\n",
        text=True,
        capture_output=True,
        timeout=60,
    )
    name = project.settings["COMPOSE_PROJECT_NAME"]
    assert done.returncode == 1
    assert f"of the project {name}:" in done.stdout
    assert f"volume {name}_postgres" in done.stdout
    assert "Nothing was deleted" in done.stderr


@pytest.fixture
def other_folder(project: ComposeStack, tmp_path: Path) -> ComposeStack:
    """A second clone whose user did not think of a name for it."""
    clone(tmp_path)
    return ComposeStack(tmp_path, project.settings["COMPOSE_PROJECT_NAME"])


def test_start_under_the_name_of_another_clone_is_refused(
    project: ComposeStack, other_folder: ComposeStack
) -> None:
    done = other_folder.run("start", check=False)
    assert done.returncode == 1
    assert f"belongs to {project.folder}" in done.stderr
    assert "COMPOSE_PROJECT_NAME" in done.stderr


def test_port_of_a_start_is_remembered_by_later_commands(project: ComposeStack) -> None:
    ports = project.settings.pop("PRODUCER_PORT")
    try:
        project.run("restart", GATEWAY)
        assert project.compose("port", GATEWAY, "5001", PRODUCER_PORT=ports).strip() == f"127.0.0.1:{ports}"
    finally:
        project.settings["PRODUCER_PORT"] = ports
