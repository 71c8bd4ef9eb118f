"""Failures of a start: each is reported in one line, and nothing is deleted."""

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.stack import GATEWAY, ComposeStack, docker
from tests.stack import clone

DOCKER = shutil.which("docker")


@pytest.fixture
def second_project(tmp_path: Path) -> Iterator[ComposeStack]:
    """A second project, in a clone whose files only their owner may read."""
    folder = tmp_path / "a clone"
    folder.mkdir(mode=0o700)
    clone(folder)
    for path in folder.rglob("*"):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)
    stack = ComposeStack(folder, "order-stream-other", "docker-compose.yml")
    stack.run("reset", "--yes")
    yield stack
    stack.run("reset", "--yes")


def failure(stack: ComposeStack, *arguments: str, **settings: str) -> str:
    """Run a command that must fail; return its one line of error."""
    stack.settings |= settings
    done = stack.run(*arguments, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def path_with_docker(tmp_path: Path, script: str) -> str:
    """Return a PATH with a docker that runs this shell script and passes the rest on to the real docker."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(f'#!/bin/sh\n{script}\nexec {DOCKER} "$@"\n')
    (folder / "docker").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_stopped_docker_engine_is_reported(second_project: ComposeStack) -> None:
    line = failure(second_project, "start", DOCKER_HOST="unix:///nowhere")
    del second_project.settings["DOCKER_HOST"]
    assert "engine does not answer" in line
    assert "--native" in line


def test_missing_compose_v2_is_reported(second_project: ComposeStack, tmp_path: Path) -> None:
    path = path_with_docker(
        tmp_path, '[ "$1" != compose ] || { echo "docker: no such command"; exit 1; } >&2'
    )
    line = failure(second_project, "start", PATH=path)
    del second_project.settings["PATH"]
    assert "no Compose v2" in line


def test_too_little_memory_is_reported(second_project: ComposeStack, tmp_path: Path) -> None:
    path = path_with_docker(tmp_path, 'case "$*" in *MemTotal*) echo 2000000000; exit ;; esac')
    line = failure(second_project, "start", PATH=path)
    del second_project.settings["PATH"]
    assert "2000 MB" in line
    assert "--lite" in line


def test_taken_port_is_reported(second_project: ComposeStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = failure(second_project, "start", PRODUCER_PORT=port)
    assert f"Port {port} is taken" in line
    assert "PRODUCER_PORT" in line


def test_unknown_service_is_reported(second_project: ComposeStack) -> None:
    assert "no service mysql" in failure(second_project, "start", "mysql")


def make_data_volume(stack: ComposeStack, *folders: str) -> str:
    """Create the data volume with these folders, and no container that has run; return the volume's option."""
    stack.compose("create", "secrets")
    volume = f"{stack.settings['COMPOSE_PROJECT_NAME']}_postgres:/v"
    command = "mkdir -p /v/" + " /v/".join(folders)
    docker("run", "--rm", "--network", "none", "-v", volume, "python:3.13-slim", "/bin/sh", "-c", command)
    return volume


def has_folder(volume: str, folder: str) -> bool:
    listed = docker("run", "--rm", "--network", "none", "-v", volume, "python:3.13-slim", "ls", "/v")
    return folder in listed.split()


def test_database_without_its_password_is_reported_and_kept(second_project: ComposeStack) -> None:
    volume = make_data_volume(second_project, "18/docker")
    assert "the volume with its password is gone" in failure(second_project, "start")
    assert has_folder(volume, "18")


def test_database_of_another_major_version_is_reported_and_kept(second_project: ComposeStack) -> None:
    volume = make_data_volume(second_project, "17/docker")
    assert "a database of PostgreSQL 17" in failure(second_project, "start")
    assert has_folder(volume, "17")


def test_gateway_open_to_others_without_tls_is_reported(second_project: ComposeStack) -> None:
    line = failure(second_project, "start", GATEWAY, BIND_ADDRESS="0.0.0.0")
    assert "BIND_ADDRESS=0.0.0.0 opens the ports to others" in line


def test_reset_asks_for_confirmation(second_project: ComposeStack) -> None:
    volume = make_data_volume(second_project, "18/docker")
    done = subprocess.run(
        [*second_project.command, "reset"],
        cwd=second_project.folder,
        env=os.environ | second_project.environment,
        input="no\n",
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Nothing was deleted" in done.stderr
    assert has_folder(volume, "18")
