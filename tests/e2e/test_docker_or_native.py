"""The choice of start_project.sh between Docker and native, and the reason that it prints. Nothing is started."""

import subprocess
from pathlib import Path

import pytest

from tests.project import ROOT

NO_ENGINE = '[ "$1" = compose ] && echo 2.26.1'
NO_COMPOSE = "exit 1"
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


def run(machine: Path, *arguments: str) -> tuple[str, str]:
    """Run the script, which must fail; return its output and its errors."""
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
    output, error = run(machine)
    assert output == "Without Docker: there is no Docker on this machine."
    assert "no Python found" in error


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (NO_ENGINE, "its engine does not answer"),
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


def test_native_scale_is_refused(machine: Path) -> None:
    assert "scale is for Docker" in run(machine, "--native", "scale", "consumer=2")[1]


def test_native_reset_asks_for_confirmation(machine: Path) -> None:
    (machine / ".local" / "postgres").mkdir(parents=True)
    assert "Nothing was deleted" in run(machine, "--native", "reset")[1]
    assert (machine / ".local" / "postgres").exists()
