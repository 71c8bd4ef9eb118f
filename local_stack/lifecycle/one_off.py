"""Run a command of the producer's, the relay's or the projector's to its end, in the environment of that service."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TypedDict

from local_stack import addresses
from local_stack.config import Settings
from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.lifecycle import steps
from local_stack.lifecycle.health import HEALTHY, HealthChecks
from local_stack.lifecycle.programs import PRODUCER_FOLDER, PROJECTOR_FOLDER, app_environment
from local_stack.paths import Paths
from local_stack.services import POSTGRES, PRODUCER, PROJECTOR

MIGRATED_WITHIN_S = 60


class _Place(TypedDict):
    cwd: Path
    env: dict[str, str]


def run(paths: Paths, settings: Settings, service: str, module: str, arguments: Sequence[str]) -> int:
    """Run `python -m module` with these arguments and return its exit code.

    Raises StackError when PostgreSQL, which all of them need, does not answer."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, **_place(paths, settings, service)).returncode


def become(paths: Paths, settings: Settings, service: str, module: str, arguments: Sequence[str]) -> NoReturn:
    """Go on as `python -m module`, so that the terminal and an interrupt are its own. Raises StackError as run()."""
    place = _place(paths, settings, service)
    os.chdir(place["cwd"])
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], place["env"])


def migrate(paths: Paths, settings: Settings) -> None:
    """Bring the schema, the roles and their passwords up to date, as a start does. Raises StackError as run()."""
    place = _place(paths, settings, PRODUCER)
    own = {"DATABASE_URL": addresses.load(paths).owner_url, "SECRETS": str(paths.secrets)}
    steps.MIGRATE.run(paths, place["env"] | own, Deadline(MIGRATED_WITHIN_S))


def _place(paths: Paths, settings: Settings, service: str) -> _Place:
    if not paths.ports.exists():
        raise StackError("Nothing has been started here yet.")
    known = addresses.load(paths)
    if HealthChecks(known, paths).run([POSTGRES])[POSTGRES].health != HEALTHY:
        raise StackError("PostgreSQL does not answer: ./start_project.sh start comes first.")
    return {
        "cwd": PROJECTOR_FOLDER if service == PROJECTOR else PRODUCER_FOLDER,
        "env": {**os.environ, **app_environment(service, paths, known, settings)},
    }
