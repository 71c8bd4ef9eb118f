import json
import socket
import threading
from pathlib import Path

import pytest

from local_stack.addresses import Addresses
from local_stack.lifecycle import health
from local_stack.lifecycle.health import LEADS, NO_QUORUM, CheckResult, HealthChecks, degraded_detail
from local_stack.lifecycle.status import as_json, as_table, combine, locations, notes
from local_stack.paths import Paths
from local_stack.ports import PORT_NAMES
from local_stack.services import CDC, CONNECT, CONNECTOR, NAMES, ZOOKEEPERS
from local_stack.supervisord.client import ProcessInfo
from producer.cdc import heartbeat
from producer.web.health import OLD_EVENT_S

RUNNING = {name: ProcessInfo("running", 100 + i, 1) for i, name in enumerate(NAMES)}
HEALTHY = dict.fromkeys(NAMES, CheckResult("healthy"))


def test_status_of_running_and_healthy_services_is_ok() -> None:
    assert all(status.ok for status in combine(RUNNING, HEALTHY))


def test_status_of_an_unknown_service_is_stopped() -> None:
    first, *_ = combine({}, {})
    assert (first.name, first.state, first.pid, first.health) == ("postgres", "stopped", None, "unhealthy")


def test_status_of_degraded_and_unsupervised_services_is_not_ok() -> None:
    degraded = combine(RUNNING, HEALTHY | {"producer": CheckResult("degraded")})
    unsupervised = combine(RUNNING | {"relay": ProcessInfo("unsupervised", 7, 0)}, HEALTHY)
    assert [status.name for status in degraded if not status.ok] == ["producer"]
    assert [status.name for status in unsupervised if not status.ok] == ["relay"]


def test_status_json_has_four_fields_for_each_service_in_a_fixed_order() -> None:
    rows = json.loads(as_json(combine(RUNNING, HEALTHY)))
    assert [row["name"] for row in rows] == list(NAMES)
    assert rows[0] == {"name": "postgres", "state": "running", "pid": 100, "health": "healthy"}


def test_status_shows_kafka_connect_where_the_publisher_needs_it_or_while_it_runs() -> None:
    assert [status.name for status in combine(RUNNING, HEALTHY, frozenset(CDC))] == [*NAMES, *CDC]
    left_over = RUNNING | {CONNECT: ProcessInfo("running", 99, 1)}
    assert [status.name for status in combine(left_over, HEALTHY)] == [*NAMES, CONNECT]


def test_status_shows_further_projectors_beside_the_first_where_they_are_wanted_or_while_they_run() -> None:
    names = [status.name for status in combine(RUNNING, HEALTHY, frozenset({"projector-2"}))]
    assert names[names.index("projector") + 1] == "projector-2"
    assert set(names) == {*NAMES, "projector-2"}
    left_over = RUNNING | {"projector-12": ProcessInfo("running", 99, 1)}
    shown = combine(left_over, HEALTHY)
    assert [status.name for status in shown if status.name not in NAMES] == ["projector-12"]
    assert len({line.index("running") for line in as_table(shown).splitlines()[1:]}) == 1


def test_status_shows_the_ensemble_where_it_is_needed_in_a_column_of_its_width() -> None:
    shown = combine(RUNNING, HEALTHY, frozenset(ZOOKEEPERS))
    assert [status.name for status in shown] == [*NAMES, *ZOOKEEPERS]
    first, *_, last = as_table(shown).splitlines()
    assert first.index("STATE") == last.index("stopped") == len("zookeeper-3 ")


def test_status_table_has_a_line_for_each_service() -> None:
    assert len(as_table(combine(RUNNING, {})).splitlines()) == 1 + len(NAMES)


def test_status_tells_below_the_table_why_a_service_is_not_healthy(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.ports.write_text(json.dumps(dict.fromkeys(PORT_NAMES, 1)))
    waiting = CheckResult("degraded", "Events that Kafka refused wait for a decision: 1")
    lines = notes(paths, combine(RUNNING, HEALTHY | {"producer": waiting}))
    assert lines[0] == "producer: Events that Kafka refused wait for a decision: 1"


def test_address_of_the_figures_is_that_of_the_page(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.ports.write_text(json.dumps({name: number for number, name in enumerate(PORT_NAMES, 1)}))
    lines = dict(line.split() for line in locations(paths) if line.startswith(("Dashboard", "Figures")))
    assert lines["Figures"] == f"{lines['Dashboard']}/figures"


@pytest.mark.parametrize(
    ("problem", "result"),
    [
        (None, CheckResult("healthy")),
        ("The connector is paused", CheckResult("degraded", "The connector is paused")),
    ],
)
def test_health_of_the_connector_is_what_its_keeper_says(
    tmp_path: Path, problem: str | None, result: CheckResult
) -> None:
    paths = Paths(tmp_path)
    paths.run.mkdir()
    checks = HealthChecks(Addresses.of(dict.fromkeys(PORT_NAMES, 1), "pw"), paths)
    assert checks.run([CONNECTOR]) == {CONNECTOR: CheckResult("unhealthy", "no heartbeat")}
    heartbeat.beat(paths.connector_heartbeat, problem)
    assert checks.run([CONNECTOR]) == {CONNECTOR: result}


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (b"Zookeeper version: 3.8.4\nMode: leader\nNode count: 5\n", CheckResult("healthy", LEADS)),
        (b"Zookeeper version: 3.8.4\nMode: follower\n", CheckResult("healthy")),
        (b"This ZooKeeper instance is not currently serving requests\n", CheckResult("unhealthy", NO_QUORUM)),
        (b"", CheckResult("unhealthy", NO_QUORUM)),
    ],
)
def test_health_of_a_zookeeper_is_its_part_in_the_ensemble(
    tmp_path: Path, answer: bytes, result: CheckResult
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def say() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(10) == b"srvr"
                connection.sendall(answer)

        saying = threading.Thread(target=say, daemon=True)
        saying.start()
        port = server.getsockname()[1]
        checks = HealthChecks(Addresses.of(dict.fromkeys(PORT_NAMES, port), "pw"), Paths(tmp_path))
        assert checks.run(ZOOKEEPERS[:1]) == {ZOOKEEPERS[0]: result}
        saying.join(5)


def test_zookeeper_that_does_not_answer_is_unhealthy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    checks = HealthChecks(Addresses.of(dict.fromkeys(PORT_NAMES, port), "pw"), Paths(tmp_path))
    assert checks.run(ZOOKEEPERS[:1]) == {ZOOKEEPERS[0]: CheckResult("unhealthy")}


@pytest.mark.parametrize(
    ("checks", "detail"),
    [
        (
            {"outbox": {"rows": 5, "oldest_s": 3.2, "parked": 2}},
            "Events that Kafka refused wait for a decision: 2 (./start_project.sh parked)",
        ),
        ({"kafka": {"status": "degraded", "detail": "too few in sync: [1]"}}, "kafka: too few in sync: [1]"),
        ({"kafka": {"status": "degraded"}, "database": {"status": "ok"}}, "kafka: degraded"),
        (
            {"outbox": {"rows": 7, "oldest_s": 30.6, "parked": 0}, "breaker": {"state": "half-open"}},
            "7 events wait to be published, the oldest for 31 s",
        ),
        (
            {"kafka": {"status": "unavailable", "detail": "timed out"}, "breaker": {"state": "open"}},
            "kafka: timed out; Kafka does not acknowledge: events are left to the relay (the circuit breaker is open)",
        ),
        ({"outbox": {"rows": None, "oldest_s": None, "parked": None}}, ""),
        (
            {"outbox": {"rows": 3, "oldest_s": 1.0, "parked": 0, "refusal": "None is taken."}},
            "None is taken.",
        ),
    ],
)
def test_reason_of_a_degraded_service_is_told(checks: dict[str, object], detail: str) -> None:
    assert degraded_detail({"status": "degraded", "checks": checks}) == detail


def test_event_is_old_for_status_when_it_is_for_the_producer() -> None:
    assert health.OLD_EVENT_S == OLD_EVENT_S
