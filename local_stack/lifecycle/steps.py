"""The one-shots between the stores and the apps: the schema and the topic."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.paths import CLONE, Paths

MIGRATE = ("migrate", "db", ("-m", "alembic", "upgrade", "head"))
TOPICS = ("topics", "producer_service", ("-m", "producer.topics"))


def run(
    step: tuple[str, str, Sequence[str]], paths: Paths, environment: Mapping[str, str], deadline: Deadline
) -> None:
    name, folder, arguments = step
    log = paths.log(name)
    with open(log, "wb") as out:
        try:
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=CLONE / folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=deadline.left(),
            )
        except subprocess.TimeoutExpired as error:
            raise StackError(f"{name} did not end in time: see {log}.") from error
    if done.returncode:
        raise StackError(f"{name} failed: {last_line(log)} (all of it in {log})")


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
