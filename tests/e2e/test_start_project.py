"""start_project.sh as its user meets it, in a clone whose path has a space and that only he may enter."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
import requests

from local_stack.deadline import Deadline
from local_stack.services import NAMES
from tests.stack import clone

PIP_SETTINGS = ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")


class Project:
    """A clone, and the commands that a user types in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / ".local"
        # Natively, also where a Docker engine would answer.
        native = {"PRODUCER_PORT": "0", "CONSUMER_PORT": "0", "DOCKER_HOST": "unix:///nowhere"}
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

    def heals(self) -> bool:
        return Deadline(60).poll(lambda: self.run("status")[0] == 0, pause=1)

    def addresses(self) -> dict[str, str]:
        lines = (self.home / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def processes(self) -> list[psutil.Process]:
        """All that work in this clone, or on its files."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return any(str(self.folder) in text for text in (process.cwd(), *process.cmdline()))
        except psutil.Error:
            return False

    def failure(self, *arguments: str, **environment: str) -> str:
        """The one line that a command which must fail has to say about it."""
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


def lend_packages(project: Project) -> None:
    """An environment as ./start_project.sh makes it, with the packages of the one that runs the tests."""
    place = project.home / "venv"
    venv.create(place, symlinks=True)
    (site_packages,) = place.glob("lib/python*/site-packages")
    (site_packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    lock = project.folder / "local_stack" / "requirements.txt"
    (place / "made-from").write_text(sha256(lock.read_bytes()).hexdigest())


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Project]:
    project = project_in(tmp_path)
    yield project
    for process in project.processes():
        process.kill()


@pytest.fixture
def fresh(bare: Project) -> Project:
    lend_packages(bare)
    return bare


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Started twice at once, as happens: the second waits for the first and finds all done."""
    project = project_in(tmp_path_factory.mktemp("project"))
    lend_packages(project)
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
    order = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
    reply = requests.post(f"{project.addresses()['PRODUCER_URL']}/orders", json=order, timeout=10)
    assert reply.status_code == 201
    return str(reply.json()["id"])


def shown_orders(project: Project) -> list[str]:
    reply = requests.get(f"{project.addresses()['CONSUMER_URL']}/events", timeout=10)
    return [event["subject"] for event in reply.json()["events"]]


class TestStarted:
    """One story, in this order, on one stack."""

    def test_all_services_are_running_and_healthy(self, started: Project) -> None:
        services = started.status()
        assert tuple(services) == NAMES
        assert {(service["state"], service["health"]) for service in services.values()} == {
            ("running", "healthy")
        }
        assert psutil.Process(started.pid("postgres")).is_running()

    def test_addresses_file_is_for_shells_and_only_its_owner_can_read_it(self, started: Project) -> None:
        path = started.home / "env"
        shell = subprocess.run(
            ["/bin/sh", "-c", f'. "{path}"; echo "$DATABASE_URL"'], capture_output=True, text=True, check=True
        )
        assert shell.stdout.strip() == started.addresses()["DATABASE_URL"]
        assert {*started.addresses()} == {
            "DATABASE_URL",
            "KAFKA_BOOTSTRAP_SERVERS",
            "PRODUCER_URL",
            "CONSUMER_URL",
        }
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_order_reaches_the_consumer(self, started: Project) -> None:
        order = place_order(started)
        assert Deadline(30).poll(lambda: order in shown_orders(started))

    def test_single_service_can_be_stopped_and_started(self, started: Project) -> None:
        assert started.run("stop", "relay")[0] == 0
        assert started.run("status")[0] == 1
        stopped = {"name": "relay", "state": "stopped", "pid": None, "health": "unhealthy"}
        assert started.status()["relay"] == stopped
        assert started.run("start", "relay")[0] == 0
        before = started.pid("relay")
        assert started.run("restart", "relay")[0] == 0
        after = started.status()
        assert {service["health"] for service in after.values()} == {"healthy"}
        assert after["relay"]["pid"] != before

    def test_logs_of_a_service_are_shown(self, started: Project) -> None:
        code, output = started.run("logs", "producer")
        assert code == 0
        assert "Listening at" in output
        assert all(line.startswith("producer") for line in output.splitlines())

    def test_killed_processes_come_back(self, started: Project) -> None:
        for victim in _one_of_each_kind(started):
            victim.send_signal(signal.SIGKILL)
        assert started.heals(), started.run("status")[1]
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
        stranger = f"{os.getpid()}\n{started.home}/postgres\n1\n{'0':6}\n"
        (started.home / "postgres" / "postmaster.pid").write_text(stranger)
        code, output = started.run()
        assert code == 0, output
        assert started.addresses() == before
        assert len(shown_orders(started)) == 2


def _one_of_each_kind(project: Project) -> list[psutil.Process]:
    """A broker, the database's master and the web servers' masters, and one worker of each of these."""
    masters = [
        psutil.Process(project.pid(name)) for name in ("kafka-1", "postgres", "producer", "consumer", "relay")
    ]
    return [*masters, *(children[-1] for master in masters if (children := master.children()))]


def only_this_python(folder: Path, script: str) -> dict[str, str]:
    """A machine whose only Python is this script."""
    folder.mkdir()
    (folder / "dirname").symlink_to("/usr/bin/dirname")
    (folder / "python3").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "python3").chmod(0o755)
    return {"PATH": str(folder)}


def test_old_python_is_reported(bare: Project, tmp_path: Path) -> None:
    old = only_this_python(tmp_path / "bin", "echo Python 3.9.18 is too old; exit 1")
    assert "Python 3.9.18 is too old" in bare.failure(**old)


def test_python_without_venv_is_reported(bare: Project, tmp_path: Path) -> None:
    # As Debian has it without python3-venv: all is there but ensurepip.
    hide = 'import sys; sys.modules["ensurepip"] = None'
    script = f"""exec "{sys.executable}" -c '{hide}
'"$2" """
    assert "has no venv" in bare.failure(**only_this_python(tmp_path / "bin", script))


def test_missing_python_is_reported(bare: Project, tmp_path: Path) -> None:
    assert "no Python found" in bare.failure(**only_this_python(tmp_path / "bin", "exit 127"))


def test_unreachable_package_index_is_reported(bare: Project) -> None:
    for setting in PIP_SETTINGS:
        bare.environment.pop(setting, None)
    line = bare.failure(PIP_INDEX_URL="http://127.0.0.1:1/simple", PIP_NO_CACHE_DIR="1")
    assert "the package index cannot be reached" in line
    assert not list(bare.home.glob("venv*/bin"))


def test_failed_download_of_jars_is_reported(fresh: Project, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:1"
    line = fresh.failure(XDG_CACHE_HOME=str(tmp_path / "cache"), HTTPS_PROXY=nowhere, https_proxy=nowhere)
    assert "Could not download" in line
    assert not list(tmp_path.glob("cache/**/*.jar"))


def test_taken_port_is_reported_with_its_setting(fresh: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        line = fresh.failure(PRODUCER_PORT=port)
    assert f"Port {port} for the producer is taken" in line
    assert "PRODUCER_PORT=0" in line


def test_invalid_port_setting_is_reported(fresh: Project) -> None:
    assert "PRODUCER_PORT" in fresh.failure(PRODUCER_PORT="many")


def test_broker_that_does_not_start_is_reported(fresh: Project, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\n[ "$1" = -version ] && { echo \'openjdk version "21"\' >&2; exit; }\n'
                    "echo no room for this broker; exit 1\n")  # fmt: skip
    java.chmod(0o755)
    line = fresh.failure("start", "kafka-1", JAVA_HOME=str(tmp_path))
    assert "kafka-1 does not stay up: no room for this broker" in line


def test_folder_that_cannot_be_written_is_reported(fresh: Project) -> None:
    (fresh.home / "logs").write_text("a file where a folder must be")
    assert f"{fresh.home}/logs" in fresh.failure()


def test_ctrl_c_leaves_no_process(fresh: Project) -> None:
    with fresh.begin("start", "postgres", "kafka-1") as process:  # one broker of three never gets healthy
        assert process.stdout
        assert any("postgres   healthy" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert fresh.processes() == []
