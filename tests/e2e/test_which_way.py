"""start_project.sh decides between Docker and native, and says why. Nothing is started here."""

import subprocess
from pathlib import Path

import pytest

from tests.project import ROOT

NO_ENGINE = '[ "$1" = compose ] && echo 2.26.1'
NO_COMPOSE = "exit 1"
OLD_COMPOSE = '[ "$1" = compose ] && echo 1.29.2'


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A clone with only the script in it, on a machine without Python, so the native way ends at once."""
    (tmp_path / "start_project.sh").write_text((ROOT / "start_project.sh").read_text())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dirname").symlink_to("/usr/bin/dirname")
    return tmp_path


def has_docker(machine: Path, script: str) -> None:
    (machine / "bin" / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (machine / "bin" / "docker").chmod(0o755)


def run(machine: Path, *arguments: str) -> tuple[str, str]:
    done = subprocess.run(
        ["/bin/sh", str(machine / "start_project.sh"), *arguments],
        env={"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 1
    return done.stdout.strip(), done.stderr.strip()


def test_script_starts_natively_without_docker(machine: Path) -> None:
    said, error = run(machine)
    assert said == "Without Docker: there is no Docker on this machine."
    assert "no Python found" in error


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (NO_ENGINE, "its engine does not answer"),
        (NO_COMPOSE, "no Compose v2"),
        (OLD_COMPOSE, "no Compose v2"),
    ],
)
def test_script_starts_natively_with_an_incomplete_docker_and_says_why(
    machine: Path, script: str, why: str
) -> None:
    has_docker(machine, script)
    said, error = run(machine, "start")
    assert said.startswith("Without Docker: ")
    assert why in said
    assert "no Python found" in error


@pytest.mark.parametrize("option", ["--docker", "--lite"])
def test_docker_option_without_an_engine_is_an_error(machine: Path, option: str) -> None:
    has_docker(machine, NO_ENGINE)
    said, error = run(machine, option)
    assert said == ""
    assert error.startswith("error: ")
    assert "its engine does not answer" in error


def test_native_option_ignores_docker(machine: Path) -> None:
    has_docker(machine, "exit 0")
    said, error = run(machine, "--native")
    assert said == ""
    assert "no Python found" in error


def test_native_scale_is_refused(machine: Path) -> None:
    assert "scale is for Docker" in run(machine, "--native", "scale", "consumer=2")[1]


def test_native_reset_asks_for_confirmation(machine: Path) -> None:
    (machine / ".local" / "postgres").mkdir(parents=True)
    assert "Nothing was deleted" in run(machine, "--native", "reset")[1]
    assert (machine / ".local" / "postgres").exists()
