"""What can go wrong at a start is said in one line, and nothing is deleted."""

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.stack import ComposeStack, docker
from tests.stack import clone

DOCKER = shutil.which("docker")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[ComposeStack]:
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
    """The one line that a command which must fail has to say about it."""
    stack.settings |= settings
    done = stack.run(*arguments, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def a_docker_that(tmp_path: Path, script: str) -> str:
    """A PATH whose docker answers some questions in its own way."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(f'#!/bin/sh\n{script}\nexec {DOCKER} "$@"\n')
    (folder / "docker").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_stopped_docker_engine_is_reported(other: ComposeStack) -> None:
    line = failure(other, "start", DOCKER_HOST="unix:///nowhere")
    del other.settings["DOCKER_HOST"]
    assert "engine does not answer" in line
    assert "--native" in line


def test_missing_compose_v2_is_reported(other: ComposeStack, tmp_path: Path) -> None:
    path = a_docker_that(tmp_path, '[ "$1" != compose ] || { echo "docker: no such command"; exit 1; } >&2')
    line = failure(other, "start", PATH=path)
    del other.settings["PATH"]
    assert "no Compose v2" in line


def test_too_little_memory_is_reported(other: ComposeStack, tmp_path: Path) -> None:
    path = a_docker_that(tmp_path, 'case "$*" in *MemTotal*) echo 2000000000; exit ;; esac')
    line = failure(other, "start", PATH=path)
    del other.settings["PATH"]
    assert "2000 MB" in line
    assert "--lite" in line


def test_taken_port_is_reported(other: ComposeStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = failure(other, "start", PRODUCER_PORT=port)
    assert f"Port {port} is taken" in line
    assert "PRODUCER_PORT" in line


def test_unknown_service_is_reported(other: ComposeStack) -> None:
    assert "no service mysql" in failure(other, "start", "mysql")


def with_data(stack: ComposeStack, *folders: str) -> str:
    """The data volume as it would be, and nothing else yet."""
    stack.compose("create", "secrets")
    volume = f"{stack.settings['COMPOSE_PROJECT_NAME']}_postgres:/v"
    command = "mkdir -p /v/" + " /v/".join(folders)
    docker("run", "--rm", "--network", "none", "-v", volume, "python:3.13-slim", "/bin/sh", "-c", command)
    return volume


def still_has(volume: str, folder: str) -> bool:
    listed = docker("run", "--rm", "--network", "none", "-v", volume, "python:3.13-slim", "ls", "/v")
    return folder in listed.split()


def test_database_without_its_password_is_reported_and_kept(other: ComposeStack) -> None:
    volume = with_data(other, "18/docker")
    assert "the volume with its password is gone" in failure(other, "start")
    assert still_has(volume, "18")


def test_database_of_another_major_version_is_reported_and_kept(other: ComposeStack) -> None:
    volume = with_data(other, "17/docker")
    assert "a database of PostgreSQL 17" in failure(other, "start")
    assert still_has(volume, "17")


def test_gateway_open_to_others_without_tls_is_reported(other: ComposeStack) -> None:
    line = failure(other, "start", "gateway", BIND_ADDRESS="0.0.0.0")
    assert "BIND_ADDRESS=0.0.0.0 opens the ports to others" in line


def test_reset_asks_for_confirmation(other: ComposeStack) -> None:
    volume = with_data(other, "18/docker")
    done = subprocess.run(
        [*other.command, "reset"],
        cwd=other.folder,
        env=os.environ | other.environment,
        input="no\n",
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Nothing was deleted" in done.stderr
    assert still_has(volume, "18")
