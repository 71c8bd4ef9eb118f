"""start_project.sh as its user runs it, in a clone whose path has a space and that only its owner may enter."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import requests

from local_stack.deadline import Deadline
from local_stack.lifecycle import status
from local_stack.paths import Paths
from local_stack.services import APPS, BROKERS, CDC, CONSUMER, NAMES, POSTGRES, PRODUCER, PROJECTOR, RELAY
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import borrow_environment, clone

PIP_SETTINGS = ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")


class Project:
    """A clone, with the commands that a user types in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / ".local"
        # Natively, even where a Docker engine would answer.
        native = {
            "PRODUCER_PORT": "0",
            "CONSUMER_PORT": "0",
            "PROJECTOR_PORT": "0",
            "KAFKA_UI_PORT": "0",
            "DOCKER_HOST": "unix:///nowhere",
        }
        self.environment = {**os.environ, **native}

    def begin(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["/bin/sh", str(self.folder / "start_project.sh"), *arguments],
            env={**self.environment, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        with self.begin(*arguments, **environment) as process:
            try:
                output, _ = process.communicate(timeout=100)
            finally:
                process.terminate()
        return process.returncode, output

    def status(self) -> dict[str, dict[str, object]]:
        _, output = self.run("status", "--json")
        return {service["name"]: service for service in json.loads(output)}

    def pid(self, name: str) -> int:
        pid = self.status()[name]["pid"]
        assert isinstance(pid, int)
        return pid

    def becomes_healthy(self) -> bool:
        return Deadline(60).poll(lambda: all(each.ok for each in status.read(Paths(self.home))), pause=0.5)

    def addresses(self) -> dict[str, str]:
        lines = (self.home / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def query(self, statement: str) -> list[Any]:
        """Return the first column of what a statement yields, run as the database's owner."""
        with closing(psycopg2.connect(self.addresses()["DATABASE_URL"])) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return [row[0] for row in cursor.fetchall()]

    def processes(self) -> list[psutil.Process]:
        """Return all processes that run in this clone or were given one of its files."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return any(str(self.folder) in text for text in (process.cwd(), *process.cmdline()))
        except psutil.Error:
            return False

    def failure(self, *arguments: str, **environment: str) -> str:
        """Run a command that must fail and leave no process; return its one line of error."""
        code, output = self.run(*arguments, **environment)
        assert code == 1, output
        assert "Traceback" not in output
        assert self.processes() == []
        (line,) = (line for line in output.splitlines() if line.startswith("error: "))
        return line


def project_in(parent: Path) -> Project:
    folder = parent / "a clone"
    folder.mkdir(mode=0o700)
    clone(folder)
    return Project(folder)


def make_environment(project: Project) -> None:
    borrow_environment(project.home, project.folder)


@pytest.fixture
def bare_clone(tmp_path: Path) -> Iterator[Project]:
    project = project_in(tmp_path)
    yield project
    for process in project.processes():
        process.kill()


@pytest.fixture
def prepared_clone(bare_clone: Project) -> Project:
    make_environment(bare_clone)
    return bare_clone


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A clone that was started twice at once: the second start waits for the first and has nothing left to do."""
    project = project_in(tmp_path_factory.mktemp("project"))
    make_environment(project)
    both = [project.begin(), project.begin("--native", "start")]
    try:
        outputs = [process.communicate(timeout=110)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0], outputs
        assert sum("already up" in output for output in outputs) == 1, outputs
        yield project
    finally:
        code, output = project.run("stop")
    assert code == 0, output
    assert project.processes() == []


def place_order(project: Project) -> str:
    return Shop(project.addresses()["PRODUCER_URL"]).place()


def shown_orders(project: Project) -> list[str]:
    response = requests.get(f"{project.addresses()['CONSUMER_URL']}/events", timeout=10)
    return [event["subject"] for event in response.json()["events"]]


class TestStarted:
    """One stack that goes through these tests in this order."""

    def test_all_services_are_running_and_healthy(self, started: Project) -> None:
        services = started.status()
        assert tuple(services) == NAMES
        assert {(service["state"], service["health"]) for service in services.values()} == {
            ("running", "healthy")
        }
        assert psutil.Process(started.pid(POSTGRES)).is_running()

    def test_addresses_file_is_for_shells_and_only_its_owner_can_read_it(self, started: Project) -> None:
        path = started.home / "env"
        shell = subprocess.run(
            ["/bin/sh", "-c", f'. "{path}"; echo "$DATABASE_URL"'], capture_output=True, text=True, check=True
        )
        assert shell.stdout.strip() == started.addresses()["DATABASE_URL"]
        assert {*started.addresses()} == {
            "DATABASE_URL",
            "PGREQUIREAUTH",
            "KAFKA_BOOTSTRAP_SERVERS",
            "PRODUCER_URL",
            "CONSUMER_URL",
            "PROJECTOR_URL",
            "KAFKA_UI_URL",
        }
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_data_is_synced_to_the_disk_and_nobody_else_may_enter_its_folders(self, started: Project) -> None:
        assert "POSTGRES_FSYNC" not in started.environment
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert started.query(f"SHOW {setting}") == ["on"], setting
        for folder in (started.home, started.home / "postgres", started.home / "kafka"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_order_reaches_the_consumer(self, started: Project) -> None:
        order = place_order(started)
        assert Deadline(30).poll(lambda: order in shown_orders(started))

    def test_single_service_can_be_stopped_and_started(self, started: Project) -> None:
        assert started.run("stop", RELAY)[0] == 0
        assert started.run("status")[0] == 1
        stopped = {"name": RELAY, "state": "stopped", "pid": None, "health": "unhealthy"}
        assert started.status()[RELAY] == stopped
        assert started.run("start", RELAY)[0] == 0
        before = started.pid(RELAY)
        assert started.run("restart", RELAY)[0] == 0
        after = started.status()
        assert {service["health"] for service in after.values()} == {"healthy"}
        assert after[RELAY]["pid"] != before

    def test_logs_of_a_service_are_shown(self, started: Project) -> None:
        code, output = started.run("logs", PRODUCER)
        assert code == 0
        assert "Listening at" in output
        assert all(line.startswith(PRODUCER) for line in output.splitlines())

    def test_killed_processes_come_back(self, started: Project) -> None:
        for victim in _one_of_each_kind(started):
            victim.send_signal(signal.SIGKILL)
        assert started.becomes_healthy(), started.run("status")[1]
        order = place_order(started)
        assert Deadline(30).poll(lambda: order in shown_orders(started))

    def test_services_are_found_and_stopped_without_their_supervisor(self, started: Project) -> None:
        os.kill(int((started.home / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
        services = started.status()
        assert {service["state"] for service in services.values()} == {"unsupervised"}
        assert {service["health"] for service in services.values()} == {"healthy"}
        assert started.run("stop")[0] == 0
        assert started.processes() == []
        assert started.run("stop") == (0, "  nothing is running\n")

    def test_data_and_addresses_outlive_a_stop_and_a_crash(self, started: Project) -> None:
        before = started.addresses()
        foreign = f"{os.getpid()}\n{started.home}/postgres\n1\n{'0':6}\n"
        (started.home / "postgres" / "postmaster.pid").write_text(foreign)
        code, output = started.run()
        assert code == 0, output
        assert started.addresses() == before
        # Kafka lets nobody read what it has not replicated again since the restart.
        eventually(lambda: self._both_orders_are_shown(started), within=60)

    @staticmethod
    def _both_orders_are_shown(started: Project) -> bool:
        shown = shown_orders(started)
        assert len(shown) == 2, (shown, started.query("SELECT id FROM orders"), started.status())
        return True

    def test_apps_log_in_as_their_roles_and_the_address_is_for_psql(self, started: Project) -> None:
        connected = started.query(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'orders' AND pid <> pg_backend_pid()"
        )
        assert set(connected) == {PRODUCER, RELAY, PROJECTOR}
        assert started.query("SELECT rolname FROM pg_roles WHERE rolsuper") == ["orders"]
        for role in (PRODUCER, RELAY, PROJECTOR):
            assert stat.S_IMODE((started.home / "secrets" / role / "pgpass").stat().st_mode) == 0o600
        if psql := shutil.which("psql"):
            url = started.addresses()["DATABASE_URL"]
            done = subprocess.run([psql, url, "-Atc", "SELECT 1"], capture_output=True, text=True, timeout=20)
            assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr

    def test_data_of_a_version_without_roles_is_upgraded_by_a_start(self, started: Project) -> None:
        """As that version left it, still running: no roles, no passwords of theirs, no revisions."""
        for role in (PRODUCER, RELAY):
            started.query(f"DROP OWNED BY {role}; DROP ROLE {role}; SELECT 1")
        shutil.rmtree(started.home / "secrets")
        (started.home / "run" / "revisions.json").unlink()
        code, output = started.run(TRUSTED_HOSTS="shop.example")
        assert code == 0, output
        assert "restarting everything" in output
        order = place_order(started)
        assert Deadline(30).poll(lambda: order in shown_orders(started))
        named = requests.get(
            started.addresses()["PRODUCER_URL"], headers={"Host": "shop.example"}, timeout=10
        )
        assert named.status_code == 200

    def test_start_after_a_change_of_code_restarts_what_is_made_of_it(self, started: Project) -> None:
        before = started.status()
        workers = psutil.Process(started.pid(PRODUCER)).children()
        (started.folder / "consumer_service" / "consumer" / "more.py").write_text("")
        roles = started.folder / "db" / "roles.sql"
        roles.write_text(f"{roles.read_text()}CREATE TABLE IF NOT EXISTS by_the_migrator ();\n")
        code, output = started.run()
        assert code == 0, output
        after = started.status()
        assert {name for name in NAMES if after[name]["pid"] != before[name]["pid"]} == {RELAY, CONSUMER}
        assert not set(workers) & set(psutil.Process(started.pid(PRODUCER)).children())
        assert started.query("SELECT count(*) FROM by_the_migrator") == [0]
        assert "already up" in started.run()[1]

    def test_parked_events_are_listed_requeued_and_discarded(self, started: Project) -> None:
        parked = [str(uuid.uuid4()) for _ in range(2)]
        for event_id in parked:
            started.query(
                "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at,"
                f" parked_at, parked_reason) VALUES ('{event_id}', 'order', '{uuid.uuid4()}', 'order.placed',"
                " '{}', 1, false, now(), now(), 'too large') RETURNING 1"
            )
        code, output = started.run("parked")
        assert code == 0, output
        assert all(event_id in output for event_id in parked)
        assert started.run("requeue", parked[0])[0] == 0
        assert started.run("discard", parked[1])[0] == 0
        assert started.run("discard", parked[1])[0] == 1
        assert "too large" not in started.run("parked")[1]
        assert started.query(f"SELECT count(*) FROM outbox_discarded WHERE id = '{parked[1]}'") == [1]
        # What was requeued is no event of an order, so the projector parks it again.
        (letter,) = eventually(
            lambda: started.query("SELECT id FROM projection.dead_letters WHERE discarded_at IS NULL"),
            within=30,
        )
        assert str(letter) in started.run("dlq", "list")[1]
        assert started.run("status")[0] == 1
        chosen = started.run("dlq", "discard", "--reason", "no such reason", "--order", str(uuid.UUID(int=0)))
        assert chosen == (0, "Discarded 0, applied 0; 1 are parked now.\n")
        assert started.run("dlq", "requeue", "--all")[0] == 1
        assert started.run("dlq", "discard")[0] == 2
        assert started.run("dlq", "discard", str(letter))[0] == 0
        assert started.run("dlq", "discard", str(letter))[0] == 1
        eventually(lambda: started.run("status")[0] == 0, within=30, every=0.5)

    def test_figures_are_made_anew_and_a_span_of_the_topic_is_read(self, started: Project) -> None:
        order_id = place_order(started)
        known = f"SELECT count(*) FROM projection.orders WHERE order_id = '{order_id}'"
        eventually(lambda: started.query(known) == [1], within=30)
        code, output = started.run("rebuild")
        assert code == 0, output
        assert "The new figures have taken the place of the old ones." in output
        assert started.query(known) == [1]
        code, output = started.run("rebuild", "--from", "00:00:00")
        assert code == 0, output
        (name,) = set(re.findall(r"projection_replay_\w+", output))
        assert started.run("rebuild", "--from", "00:00:00")[0] == 1
        assert started.run("rebuild", "--list") == (0, f"{name}\n")
        assert started.run("rebuild", "--drop", name) == (0, f"Dropped {name}.\n")
        code, output = started.run("rebuild", "--to", "")
        assert (code, "--to goes with --from" in output) == (2, True)
        assert started.run("status")[0] == 0

    def test_ledger_says_that_all_is_well_and_repairs_what_is_not(self, started: Project) -> None:
        """With the role of the producer, which has the rights it needs."""
        order_id = place_order(started)
        eventually(lambda: order_id in shown_orders(started), within=30)
        code, output = started.run("ledger", "--order", order_id)
        assert code == 0, output
        assert "in Kafka, partition" in output
        started.query(
            "INSERT INTO orders (id, customer_name, item, description, unit_price, quantity, status, version,"
            f" created_at, updated_at) VALUES ('{order_id[:-4]}ffff', 'Ada', 'Tee', '', 1, 1, 'placed', 1, now(),"
            " now()) RETURNING 1"
        )
        code, output = started.run("ledger", "--repair")
        assert code == 1, output
        assert f"not put back: order {order_id[:-4]}ffff version 1" in output
        started.query(f"DELETE FROM orders WHERE id = '{order_id[:-4]}ffff' RETURNING 1")
        code, output = started.run("ledger", "--json")
        assert code == 0, output
        assert json.loads(output.splitlines()[0])["missing"] == 0

    @pytest.mark.timeout(300)
    def test_projectors_are_added_share_the_partitions_and_are_taken_away(self, started: Project) -> None:
        code, output = started.run("scale", "projector=3")
        assert code == 0, output
        projectors = {PROJECTOR, "projector-2", "projector-3"}
        assert started.run("status")[0] == 0
        assert projectors == {name for name in started.status() if name.startswith(PROJECTOR)}
        eventually(lambda: _partitions_of(started, projectors) == [2, 2, 2], within=60)
        before = started.pid("projector-2")
        assert "already up" in started.run()[1]  # remembered
        assert started.run("restart", "projector-2")[0] == 0
        assert started.pid("projector-2") != before
        os.kill(started.pid("projector-3"), signal.SIGKILL)
        assert started.becomes_healthy(), started.run("status")[1]
        assert "Listening at" in started.run("logs", "projector-3")[1]
        place_order(started)
        eventually(lambda: _is_counted(started), within=30)
        for wish, reason in (("projector=13", "1 to 12 projectors"), ("consumer=2", "only the projector")):
            code, output = started.run("scale", wish)
            assert (code, reason in output) == (1, True), output
        code, output = started.run("start", PROJECTORS="1")
        assert code == 0, output
        assert "PROJECTORS=1: stopping projector-2 projector-3" in output
        assert PROJECTOR in started.status()
        assert not {"projector-2", "projector-3"} & set(started.status())
        eventually(lambda: _partitions_of(started, {PROJECTOR}) == [6], within=60)
        code, output = started.run("start", "projector-2")
        assert (code, "There is no projector-2 with PROJECTORS=1." in output) == (1, True)

    @pytest.mark.timeout(300)
    def test_debezium_is_started_for_its_publisher_and_stopped_with_it(self, started: Project) -> None:
        code, output = started.run("start", PUBLISHER="debezium")
        assert code == 0, output
        code, output = started.run("status")  # remembered
        assert code == 0, output
        assert set(CDC) <= set(started.status())
        order_id = place_order(started)
        eventually(lambda: order_id in shown_orders(started), within=9)  # the relay would take 10 s
        code, output = started.run("start", PUBLISHER="direct")
        assert code == 0, output
        assert not set(CDC) & set(started.status())
        assert started.query("SELECT slot_name FROM pg_replication_slots") == []
        assert place_order(started)
        code, output = started.run("start", "connect")
        assert (code, "error: connect is for PUBLISHER=debezium, and this is direct." in output) == (1, True)


def _partitions_of(project: Project, projectors: set[str]) -> list[int]:
    """Return how many partitions each instance reads."""
    numbers = json.loads((project.home / "ports.json").read_text())
    return [len(_group_of(numbers[name])["partitions"]) for name in sorted(projectors)]


def _group_of(port: int) -> dict[str, list[int]]:
    answer = requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=10).json()
    group: dict[str, list[int]] = answer["checks"]["group"]
    return group


def _is_counted(project: Project) -> bool:
    answer = requests.get(f"{project.addresses()['PROJECTOR_URL']}/stats", timeout=10).json()
    return [answer["orders"]] == project.query("SELECT count(*) FROM orders")


def _one_of_each_kind(project: Project) -> list[psutil.Process]:
    """Return a broker, the database's and the apps' main processes, and one worker of each that has any."""
    masters = [psutil.Process(project.pid(name)) for name in (BROKERS[0], POSTGRES, *APPS)]
    return [*masters, *(children[-1] for master in masters if (children := master.children()))]


def only_this_python(folder: Path, script: str) -> dict[str, str]:
    """Return the environment of a machine whose only Python is this script."""
    folder.mkdir()
    (folder / "dirname").symlink_to("/usr/bin/dirname")
    (folder / "python3").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "python3").chmod(0o755)
    return {"PATH": str(folder)}


def test_old_python_is_reported(bare_clone: Project, tmp_path: Path) -> None:
    old = only_this_python(tmp_path / "bin", "echo Python 3.9.18 is too old; exit 1")
    assert "Python 3.9.18 is too old" in bare_clone.failure(**old)


def test_python_without_venv_is_reported(bare_clone: Project, tmp_path: Path) -> None:
    # Like Debian without python3-venv: only ensurepip is missing.
    hide = 'import sys; sys.modules["ensurepip"] = None'
    script = f"""exec "{sys.executable}" -c '{hide}
'"$2" """
    assert "has no venv" in bare_clone.failure(**only_this_python(tmp_path / "bin", script))


def test_missing_python_is_reported(bare_clone: Project, tmp_path: Path) -> None:
    assert "no Python found" in bare_clone.failure(**only_this_python(tmp_path / "bin", "exit 127"))


def test_unreachable_package_index_is_reported(bare_clone: Project) -> None:
    for setting in PIP_SETTINGS:
        bare_clone.environment.pop(setting, None)
    line = bare_clone.failure(PIP_INDEX_URL="http://127.0.0.1:1/simple", PIP_NO_CACHE_DIR="1")
    assert "the package index cannot be reached" in line
    assert not list(bare_clone.home.glob("venv*/bin"))


def test_failed_download_of_jars_is_reported(prepared_clone: Project, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:1"
    line = prepared_clone.failure(
        XDG_CACHE_HOME=str(tmp_path / "cache"), HTTPS_PROXY=nowhere, https_proxy=nowhere
    )
    assert "Could not download" in line
    assert not list(tmp_path.glob("cache/**/*.jar"))


def test_taken_port_is_reported_with_its_setting(prepared_clone: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        line = prepared_clone.failure(PRODUCER_PORT=port)
    assert f"Port {port} for the producer is taken" in line
    assert "PRODUCER_PORT=0" in line


def test_taken_port_of_kafka_ui_is_reported_with_its_setting(prepared_clone: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        line = prepared_clone.failure(KAFKA_UI_PORT=port)
    assert f"Port {port} for the kafka-ui is taken" in line
    assert "KAFKA_UI_PORT=0" in line


def test_invalid_port_setting_is_reported(prepared_clone: Project) -> None:
    assert "PRODUCER_PORT" in prepared_clone.failure(PRODUCER_PORT="many")


def test_broker_that_does_not_start_is_reported(prepared_clone: Project, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\n[ "$1" = -version ] && { echo \'openjdk version "21"\' >&2; exit; }\n'
                    "echo no room for this broker; exit 1\n")  # fmt: skip
    java.chmod(0o755)
    line = prepared_clone.failure("start", BROKERS[0], JAVA_HOME=str(tmp_path))
    assert "kafka-1 does not stay up: no room for this broker" in line


def test_folder_that_cannot_be_written_is_reported(prepared_clone: Project) -> None:
    (prepared_clone.home / "logs").write_text("a file where a folder must be")
    assert f"{prepared_clone.home}/logs" in prepared_clone.failure()


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_no_process(prepared_clone: Project) -> None:
    # The start does not end: one broker of three never becomes healthy.
    with prepared_clone.begin("start", POSTGRES, BROKERS[0]) as process:
        assert process.stdout
        assert any("postgres   healthy" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert prepared_clone.processes() == []
