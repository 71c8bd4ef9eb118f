"""The one-shot steps between the start of the stores and the start of the apps: the schema and the topic."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.lifecycle.logs import last_line
from local_stack.lifecycle.programs import PRODUCER_FOLDER
from local_stack.paths import PROJECT_ROOT, Paths


@dataclass(frozen=True)
class Step:
    """A Python module that is run to its end."""

    name: str
    folder: Path
    arguments: Sequence[str]

    def run(self, paths: Paths, environment: Mapping[str, str], deadline: Deadline) -> None:
        """Run the step. Raises StackError when it fails or does not end before the deadline."""
        log = paths.log(self.name)
        with open(log, "wb") as out:
            try:
                done = subprocess.run(
                    [sys.executable, *self.arguments],
                    cwd=self.folder,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    timeout=deadline.remaining_s(),
                )
            except subprocess.TimeoutExpired as error:
                raise StackError(f"{self.name} did not end in time: see {log}.") from error
        if done.returncode:
            raise StackError(f"{self.name} failed: {last_line(log)}")


# The schema, then the roles of the apps with their rights and passwords.
MIGRATE = Step("migrate", PROJECT_ROOT / "db", ("migrate.py",))
TOPICS = Step("topics", PRODUCER_FOLDER, ("-m", "producer.topics"))
# Whether the producer's code and gunicorn's settings can be loaded at all; connects to nothing.
CHECK = Step("check", PRODUCER_FOLDER, ("-m", "gunicorn", "--check-config", "producer:create_app()"))
