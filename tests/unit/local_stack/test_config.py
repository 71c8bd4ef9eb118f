import re
import runpy
from pathlib import Path

import pytest

from local_stack import config
from local_stack.config import Settings, load_settings
from local_stack.errors import StackError
from local_stack.paths import Paths
from local_stack.services import (
    CDC,
    CONSUMER,
    KAFKA_UI,
    MORE_PROJECTORS,
    MOST_PROJECTORS,
    PRODUCER,
    PROJECTOR,
    RELAY,
    STOP_POLICIES,
    ZOOKEEPERS,
)
from producer.relay.service import STOP_S
from projector.services import HEALTH_POOL, REQUESTS_POOL, THREADS_POOL
from tests.project import ROOT


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_port_of_the_last_start_is_kept_until_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = {PRODUCER: 5101, CONSUMER: 5002, PROJECTOR: 5103, KAFKA_UI: 8181}
    assert load_settings().web_ports({}) == {PRODUCER: 5001, CONSUMER: 5002, PROJECTOR: 5003, KAFKA_UI: 8080}
    assert load_settings().web_ports(last) == last
    monkeypatch.setenv("PRODUCER_PORT", "5001")
    monkeypatch.setenv("KAFKA_UI_PORT", "8282")
    assert load_settings().web_ports(last) == last | {PRODUCER: 5001, KAFKA_UI: 8282}
    assert load_settings().explicit_ports() == {PRODUCER: 5001, KAFKA_UI: 8282}


def test_publisher_of_the_last_start_is_kept_until_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = Paths(tmp_path)
    first = load_settings().with_publisher_of(paths)
    assert (first.publisher, first.cdc, first.is_other_publisher(paths)) == ("direct", frozenset(), False)
    monkeypatch.setenv("PUBLISHER", "debezium")
    chosen = load_settings().with_publisher_of(paths)
    assert (chosen.publisher, chosen.cdc) == ("debezium", frozenset(CDC))
    chosen.remember_publisher(paths)
    monkeypatch.delenv("PUBLISHER")
    later = load_settings().with_publisher_of(paths)
    assert (later.publisher, later.is_other_publisher(paths)) == ("debezium", False)
    monkeypatch.setenv("PUBLISHER", "relay")
    back = load_settings().with_publisher_of(paths)
    assert (back.publisher, back.cdc, back.is_other_publisher(paths)) == ("relay", frozenset(), True)


def test_keeper_of_the_metadata_is_that_of_the_data_until_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = Paths(tmp_path)
    first = load_settings().with_metadata_of(paths)
    assert (first.kafka_metadata, first.optional) == ("kraft", frozenset())
    monkeypatch.setenv("KAFKA_METADATA", "zookeeper")
    chosen = load_settings().with_metadata_of(paths)
    assert (chosen.kafka_metadata, chosen.optional) == ("zookeeper", frozenset(ZOOKEEPERS))
    (paths.kafka_zookeeper / "kafka-1" / "data").mkdir(parents=True)
    monkeypatch.delenv("KAFKA_METADATA")
    assert load_settings().with_metadata_of(paths).kafka_metadata == "zookeeper"
    monkeypatch.setenv("KAFKA_METADATA", "kraft")
    assert load_settings().with_metadata_of(paths).kafka_metadata == "kraft"


def test_unknown_publisher_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLISHER", "kafka")
    with pytest.raises(StackError, match="PUBLISHER: Input should be 'direct', 'relay' or 'debezium'"):
        load_settings()


def test_more_connections_than_postgresql_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "13")
    load_settings()
    monkeypatch.setenv("WEB_CONCURRENCY", "14")
    with pytest.raises(StackError, match=r"WEB_CONCURRENCY=14.* 161 connections, but PostgreSQL has 160"):
        load_settings()


def test_projectors_of_the_last_start_are_kept_until_the_environment_says_how_many(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = Paths(tmp_path)
    first = load_settings().with_projectors_of(paths)
    assert (first.projectors, first.optional) == (1, frozenset())
    monkeypatch.setenv("PROJECTORS", "3")
    chosen = load_settings().with_projectors_of(paths)
    assert (chosen.projectors, chosen.optional) == (3, frozenset({"projector-2", "projector-3"}))
    chosen.remember_projectors(paths)
    monkeypatch.delenv("PROJECTORS")
    assert load_settings().with_projectors_of(paths).projectors == 3
    monkeypatch.setenv("PROJECTORS", "1")
    assert load_settings().with_projectors_of(paths).projectors == 1


@pytest.mark.parametrize("number", ["0", "13", "many"])
def test_number_of_projectors_out_of_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setenv("PROJECTORS", number)
    with pytest.raises(StackError, match="PROJECTORS: Input should be"):
        load_settings()


def test_all_projectors_have_their_connections_beside_a_producer_with_most_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings().with_projectors(MOST_PROJECTORS).projectors == MOST_PROJECTORS
    monkeypatch.setenv("WEB_CONCURRENCY", "6")
    with pytest.raises(StackError, match=r"WEB_CONCURRENCY=6, .* PROJECTORS=12 want 180 connections"):
        load_settings().with_projectors(MOST_PROJECTORS)


def test_most_workers_are_those_of_the_producer() -> None:
    most = runpy.run_path(str(ROOT / "producer_service" / "gunicorn.conf.py"))["MOST_WORKERS"]
    assert most == config.MOST_WORKERS
    docker = (ROOT / "deploy" / "docker" / "stack.sh").read_text()
    assert f"if (processes > {most}) processes = {most};" in docker


def test_connections_of_a_projector_are_those_of_its_pool() -> None:
    assert config.PROJECTOR_CONNECTIONS == THREADS_POOL + REQUESTS_POOL + HEALTH_POOL
    assert {STOP_POLICIES[name] for name in MORE_PROJECTORS} == {STOP_POLICIES[PROJECTOR]}


@pytest.mark.parametrize("service", [PRODUCER, CONSUMER, PROJECTOR])
def test_supervisord_and_docker_wait_longer_than_gunicorn_needs_to_stop(service: str) -> None:
    """Otherwise they kill it amid its last requests."""
    gunicorn = runpy.run_path(str(ROOT / f"{service}_service" / "gunicorn.conf.py"))
    assert STOP_POLICIES[service].timeout_s > gunicorn["graceful_timeout"]
    assert stop_grace_period(service) == STOP_POLICIES[service].timeout_s


def test_supervisord_waits_longer_than_kafka_ui_needs_to_stop() -> None:
    gunicorn = runpy.run_path(str(ROOT / "kafka_page" / "gunicorn.conf.py"))
    assert STOP_POLICIES[KAFKA_UI].timeout_s > gunicorn["graceful_timeout"]


def test_supervisord_and_docker_wait_longer_than_the_relay_needs_to_stop() -> None:
    assert STOP_POLICIES[RELAY].timeout_s > STOP_S
    assert stop_grace_period(RELAY) == STOP_POLICIES[RELAY].timeout_s


def stop_grace_period(service: str) -> int:
    """Return what docker-compose.yml says of a service, in seconds."""
    found = re.search(
        rf"^  {service}:\n(?:    .*\n|\n)*?    stop_grace_period: (\d+)s",
        Path(ROOT, "docker-compose.yml").read_text(),
        re.MULTILINE,
    )
    assert found
    return int(found[1])
