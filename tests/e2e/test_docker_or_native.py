"""The choice of start_project.sh between Docker and native, and the reason that it prints. Nothing is started."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT

NO_ENGINE = '[ "$1" = compose ] && echo 2.26.1'
NO_COMPOSE = "exit 1"
COMPOSE = '[ "$1" = compose ] && { echo 2.26.1; exit; }'
NOT_IN_THE_GROUP = f"""{COMPOSE}
echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1"""
OLD_ENGINE = f"""{COMPOSE}
echo 24.0.7"""
OLD_COMPOSE = '[ "$1" = compose ] && echo 1.29.2'


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A clone with only the script in it, on a machine without Python, so a native start ends at once."""
    (tmp_path / "start_project.sh").write_text((ROOT / "start_project.sh").read_text())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dirname").symlink_to("/usr/bin/dirname")
    return tmp_path


def install_docker(machine: Path, script: str) -> None:
    """Put a `docker` on the machine that runs this shell script."""
    (machine / "bin" / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (machine / "bin" / "docker").chmod(0o755)


def run(machine: Path, *arguments: str, **environment: str) -> tuple[str, str]:
    """Run the script, which must fail; return its output and its errors."""
    done = subprocess.run(
        ["/bin/sh", str(machine / "start_project.sh"), *arguments],
        env={"PATH": str(machine / "bin"), **environment},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 1
    return done.stdout.strip(), done.stderr.strip()


def test_script_starts_natively_without_docker(machine: Path) -> None:
    output, error = run(machine)
    assert output == "Without Docker: there is no Docker on this machine."
    assert "no Python found" in error


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (NO_ENGINE, "its engine does not answer"),
        (NOT_IN_THE_GROUP, "you may not use it (join the group docker"),
        (OLD_ENGINE, "its engine is version 24.0.7, and 25 or newer is needed"),
        (NO_COMPOSE, "no Compose v2"),
        (OLD_COMPOSE, "no Compose v2"),
    ],
)
def test_script_starts_natively_with_an_incomplete_docker_and_says_why(
    machine: Path, script: str, reason: str
) -> None:
    install_docker(machine, script)
    output, error = run(machine, "start")
    assert output.startswith("Without Docker: ")
    assert reason in output
    assert "no Python found" in error


@pytest.mark.parametrize("option", ["--docker", "--lite"])
def test_docker_option_without_an_engine_is_an_error(machine: Path, option: str) -> None:
    install_docker(machine, NO_ENGINE)
    output, error = run(machine, option)
    assert output == ""
    assert error.startswith("error: ")
    assert "its engine does not answer" in error


def test_native_option_ignores_docker(machine: Path) -> None:
    install_docker(machine, "exit 0")
    output, error = run(machine, "--native")
    assert output == ""
    assert "no Python found" in error


def test_native_reset_names_what_it_deletes_and_asks_for_confirmation(machine: Path) -> None:
    (machine / ".local" / "postgres").mkdir(parents=True)
    output, error = run(machine, "--native", "reset")
    assert f"of the project in {machine}:" in output
    assert f"{machine}/.local/postgres" in output
    assert "kafka" not in output
    assert "Nothing was deleted" in error
    assert (machine / ".local" / "postgres").exists()


MACOS = 'import platform, sys; sys.platform = "darwin"; platform.system = lambda: "Darwin"'
MUSL = "import os; del os.confstr"


@pytest.mark.parametrize(("system", "name"), [(MACOS, "Darwin"), (MUSL, "musl")])
def test_systems_without_packages_are_told_before_anything_is_installed(
    machine: Path, system: str, name: str
) -> None:
    (machine / "bin" / "python3").write_text(f"""#!/bin/sh\nexec "{sys.executable}" -c '{system}\n'"$2"\n""")
    (machine / "bin" / "python3").chmod(0o755)
    _, error = run(machine, "--native")
    assert error.startswith("error: Without Docker, this runs on Linux with glibc only")
    assert f"no packages for {name}" in error
    assert "Start Docker" in error
    assert not (machine / ".local").exists()


def fake_engine(machine: Path, version: str, network: str = "exit 1", inspected: str = "") -> None:
    """Install a docker whose engine has this version, and which tells the environment of `up`."""
    install_docker(
        machine,
        f"""case "$*" in
            *'compose version'*) echo 2.40.0 ;;
            *'version --format'*) echo {version} ;;
            *'network inspect'*) {network} ;;
            *MemTotal*) echo 16000000000 ;;
            'compose ps'*) echo 1234 ;;
            inspect*) printf '%s\\n' '{inspected}' ;;
            'exec 1234'*) echo 'degraded parked=3' ;;
            *'compose config --services'*) echo gateway ;;
            *'compose config'*) echo 'name: mine' ;;
            *' up '*) echo "networks: ${{INTERNAL_NETWORKS:-nat}} port: ${{PRODUCER_PORT:-}}" >&2; exit 1 ;;
        esac""",
    )
    (machine / "deploy" / "docker").mkdir(parents=True, exist_ok=True)
    script = machine / "deploy" / "docker" / "stack.sh"
    script.write_text((ROOT / "deploy" / "docker" / "stack.sh").read_text())
    script.chmod(0o755)
    for tool in ("mkdir", "grep", "sed", "awk", "tail", "cat", "sort", "tr", "rm", "mv"):
        if not (machine / "bin" / tool).exists():
            (machine / "bin" / tool).symlink_to(str(shutil.which(tool)))


@pytest.mark.parametrize(
    ("version", "network", "mode"),
    [
        ("26.1.5+dfsg1", "exit 1", "nat"),
        ("27.5.1", "exit 1", "nat"),  # it refuses `isolated`
        ("28.0.0", "exit 1", "isolated"),
        ("29.1.0", "exit 1", "isolated"),
        ("28.0.0", "echo nat", "nat"),  # made by `docker compose up`: it stays as it is
        ("28.0.0", "echo isolated", "isolated"),
    ],
)
def test_internal_networks_are_isolated_where_the_engine_can(
    machine: Path, version: str, network: str, mode: str
) -> None:
    fake_engine(machine, version, network)
    assert f"networks: {mode} " in run(machine, "--docker")[1]


def test_port_given_to_a_start_in_docker_is_remembered_unless_env_has_one(machine: Path) -> None:
    fake_engine(machine, "28.0.0")
    assert "port: 5101" in run(machine, "--docker", PRODUCER_PORT="5101")[1]
    assert "port: 5101" in run(machine, "--docker")[1]
    assert "port: 5201" in run(machine, "--docker", PRODUCER_PORT="5201")[1]
    (machine / ".env").write_text("PRODUCER_PORT=5301\n")
    assert "port: 5201" not in run(machine, "--docker")[1]


def test_status_in_docker_says_degraded_and_parked_as_the_service_does_now(machine: Path) -> None:
    """To Docker, degraded is healthy; and its last check, which knew of two parked events, is seconds old."""
    last_check = '1234 gateway 1 running 42 healthy "degraded parked=2\\n"'
    fake_engine(machine, "28.0.0", inspected=last_check)
    table, _ = run(machine, "--docker", "status")
    assert "gateway    running             42  degraded\n" in table
    assert "gateway: Events that Kafka refused wait for a decision: 3 (./start_project.sh parked)" in table
    shown, _ = run(machine, "--docker", "status", "--json")
    assert json.loads(shown) == [{"name": "gateway", "state": "running", "pid": 42, "health": "degraded"}]


def test_ledger_in_docker_runs_in_a_container_of_its_own_with_the_rights_of_the_producer(
    machine: Path,
) -> None:
    fake_engine(machine, "28.0.0")
    docker = machine / "bin" / "docker"
    docker.write_text(
        docker.read_text().replace('case "$*" in', """case "$*" in *' run '*) echo "$*"; exit 1 ;;""", 1)
    )
    said, error = run(machine, "--docker", "ledger", "--order", "some id")
    assert "run --rm -T --no-deps producer python -m producer.ledger --order some id" in said, error


def test_rebuild_in_docker_runs_in_a_container_of_its_own(machine: Path) -> None:
    fake_engine(machine, "28.0.0")
    docker = machine / "bin" / "docker"
    docker.write_text(
        docker.read_text().replace('case "$*" in', """case "$*" in *' run '*) echo "$*"; exit 1 ;;""", 1)
    )
    said, error = run(machine, "--docker", "rebuild", "--from", "14:05")
    assert "run --rm -T --no-deps projector python -m projector rebuild --from 14:05" in said, error


def test_start_waits_for_what_was_unhealthy_before_it(machine: Path) -> None:
    """Compose gives up at once when it sees it: the first time here, and then it is well."""
    fake_engine(machine, "28.0.0")
    docker = machine / "bin" / "docker"
    said = """case "$*" in
        'ps --quiet'*) [ -e well ] || echo 1234; [ ! -e tried ] || { : >well; } ; exit ;;
        *' up '*) [ ! -e well ] || { echo "up again" >&2; exit 0; }; : >tried; echo unhealthy >&2; exit 1 ;;
    esac"""
    docker.write_text(docker.read_text().replace("case ", f"{said}\ncase ", 1))
    (machine / "bin" / "sleep").symlink_to(str(shutil.which("true")))
    done = subprocess.run(
        ["/bin/sh", str(machine / "start_project.sh"), "--docker", "start", "gateway"],
        capture_output=True, text=True, env={"PATH": str(machine / "bin")}, timeout=30, cwd=machine,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (machine / ".local" / "docker.log").read_text() == "up again\n"


def test_ledger_without_a_database_could_not_look_and_says_2(machine: Path) -> None:
    fake_engine(machine, "28.0.0")
    docker = machine / "bin" / "docker"
    docker.write_text(docker.read_text().replace("echo 1234", ":", 1))
    done = subprocess.run(
        ["/bin/sh", str(machine / "start_project.sh"), "--docker", "ledger"],
        capture_output=True, text=True, env={"PATH": str(machine / "bin")}, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: PostgreSQL is not running")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "restore needs a folder"),
        (("missing",), "There is no folder missing."),
        (("backups", "other"), "restore needs one folder, not backups and other."),
        (("backups", "--yes"), "restore has no option --yes"),
        (("backups", "-t", "2026-11-26"), "restore has no option -t"),
        (("backups", "--to"), "--to needs a time"),
        (("backups", "--to", ""), "--to needs a time"),
        (("backups", "--to="), "--to needs a time"),
        (("--to", "", "backups"), "--to needs a time"),
    ],
)
def test_restore_in_docker_that_is_not_understood_stops_nothing(
    machine: Path, arguments: tuple[str, ...], problem: str
) -> None:
    fake_engine(machine, "28.0.0")
    tell_runs_and_stops(machine)
    (machine / "backups").mkdir()
    said, error = run(machine, "--docker", "restore", *arguments)
    assert error.startswith(f"error: {problem}")
    assert said == ""


@pytest.mark.parametrize(
    ("arguments", "to"),
    [
        (("backups",), ""),
        (("backups", "--to", "2026-11-26 16:20"), "2026-11-26 16:20"),
        (("backups", "--to=2026-11-26 16:20"), "2026-11-26 16:20"),
        (("--to", "2026-11-26 16:20", "backups"), "2026-11-26 16:20"),
    ],
)
def test_restore_in_docker_takes_the_time_in_both_ways(
    machine: Path, arguments: tuple[str, ...], to: str
) -> None:
    fake_engine(machine, "28.0.0")
    tell_runs_and_stops(machine)
    (machine / "bin" / "date").symlink_to(str(shutil.which("date")))
    (machine / "backups").mkdir()
    said, error = run(machine, "--docker", "restore", *arguments)
    check, stop, _ = said.split("\n", 2)
    assert check.endswith(f"/backup.sh check {machine}/backups {to}".strip()), error
    assert stop == "compose --progress quiet stop producer relay postgres"
    assert said.endswith(f"sh {machine}/backups {to}".strip()), error


def test_restore_in_docker_stops_nothing_for_a_backup_that_cannot_be_used(machine: Path) -> None:
    fake_engine(machine, "28.0.0")
    tell_runs_and_stops(machine, check="exit 1")
    (machine / "backups").mkdir()
    said, _ = run(machine, "--docker", "restore", "backups")
    assert said.endswith(f"/backup.sh check {machine}/backups")


def tell_runs_and_stops(machine: Path, check: str = "exit") -> None:
    """Let the docker of fake_engine() tell what it is to run and to stop; the last one, the restore itself, fails."""
    docker = machine / "bin" / "docker"
    told = f"""case "$*" in
        *'/backup.sh check '*) echo "$*"; {check} ;;
        *' stop '* | *' run '*secrets) echo "$*"; exit ;;
        run*) echo "$*"; exit 1 ;;
    esac"""
    docker.write_text(docker.read_text().replace("case ", f"{told}\ncase ", 1))


def with_volume(machine: Path, volume: str) -> None:
    """Let the engine have a volume, and `up` tell who keeps the metadata, and from which files it starts."""
    fake_engine(machine, "28.0.0")
    docker = machine / "bin" / "docker"
    said = f"""case "$*" in
        *'volume ls'*'name=^mine_{volume}$') echo mine_{volume} ;;
        *' up '*) echo "metadata: $KAFKA_METADATA files: ${{COMPOSE_FILE:-}}" >&2; exit 1 ;;
    esac"""
    docker.write_text(docker.read_text().replace("case ", f"{said}\ncase ", 1))


def test_start_in_docker_with_zookeeper_is_remembered_until_a_reset(machine: Path) -> None:
    with_volume(machine, "kafka-zookeeper-1")
    files = "files: docker-compose.yml:deploy/zookeeper/docker-compose.yml"
    assert f"metadata: zookeeper {files}" in run(machine, "--docker", "--zookeeper")[1]
    assert f"metadata: zookeeper {files}" in run(machine, "--docker")[1]
    assert f"metadata: zookeeper {files}" in run(machine, "--docker", KAFKA_METADATA="zookeeper")[1]


@pytest.mark.parametrize(
    ("volume", "options", "keeper"),
    [
        ("kafka-1", ["--zookeeper"], "KRaft"),
        ("kafka-zookeeper-1", [], "ZooKeeper"),  # such as after .local/docker was deleted
    ],
)
def test_start_in_docker_that_would_leave_the_events_behind_is_refused(
    machine: Path, volume: str, options: list[str], keeper: str
) -> None:
    with_volume(machine, volume)
    _, error = run(machine, "--docker", *options)
    assert error.startswith(
        f"error: The events of this stack are in Kafka with {keeper} (volume mine_{volume} "
    )
    assert "To begin anew, without the orders: ./start_project.sh reset." in error
    assert "metadata:" not in error
    assert not (machine / ".local" / "docker").exists()


@pytest.mark.parametrize(
    ("options", "keeper", "problem"),
    [
        (["--lite", "--zookeeper"], "", "The small stack (--lite) has no ZooKeeper."),
        ([], "etcd", "KAFKA_METADATA is kraft or zookeeper, not etcd."),
    ],
)
def test_keeper_of_the_metadata_that_cannot_be_is_refused(
    machine: Path, options: list[str], keeper: str, problem: str
) -> None:
    fake_engine(machine, "28.0.0")
    assert problem in run(machine, "--docker", *options, KAFKA_METADATA=keeper)[1]
