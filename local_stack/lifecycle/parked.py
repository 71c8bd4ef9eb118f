"""Run the relay's commands for events that Kafka has refused, in the environment of the relay."""

import os
import subprocess
import sys
from collections.abc import Sequence

from local_stack import addresses
from local_stack.config import Settings
from local_stack.errors import StackError
from local_stack.lifecycle.health import HEALTHY, HealthChecks
from local_stack.lifecycle.programs import PRODUCER_FOLDER, app_environment
from local_stack.paths import Paths
from local_stack.services import POSTGRES, RELAY


def run(paths: Paths, settings: Settings, arguments: Sequence[str]) -> int:
    """Run `python -m producer.relay` with these arguments and return its exit code. Needs PostgreSQL only.
    Raises StackError when that does not answer."""
    if not paths.ports.exists():
        raise StackError("Nothing has been started here yet.")
    known = addresses.load(paths)
    if HealthChecks(known, paths.heartbeat).run([POSTGRES])[POSTGRES].health != HEALTHY:
        raise StackError("PostgreSQL does not answer: ./start_project.sh start comes first.")
    done = subprocess.run(
        [sys.executable, "-m", "producer.relay", *arguments],
        cwd=PRODUCER_FOLDER,
        env={**os.environ, **app_environment(RELAY, paths, known, settings)},
    )
    return done.returncode
