"""Find the processes of a stack by tags in their environment, also those that outlive a killed supervisord.

Recorded pids would not do: after a while a pid may belong to an unrelated process, and a restarted service
has a new one.
"""

import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

from local_stack.deadline import Deadline
from local_stack.paths import Paths
from local_stack.services import POSTGRES

HOME_TAG, SERVICE_TAG = "LOCAL_STACK_HOME", "LOCAL_STACK_SERVICE"
SUPERVISOR = "supervisord"
KILL_TIMEOUT_S = 5


def tags(paths: Paths, service: str) -> dict[str, str]:
    """Return the environment variables that mark a process as part of a service of this stack."""
    return {HOME_TAG: str(paths.home), SERVICE_TAG: service}


def find(home: Path) -> dict[str, list[psutil.Process]]:
    """Return the running processes of each service, the oldest first: the main process, then its workers."""
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            service = _service_of(process, home)
        except psutil.Error:
            continue  # it has ended, is a zombie or belongs to another user: not part of this stack
        if service:
            found.setdefault(service, []).append(process)
    for family in found.values():
        family.sort(key=lambda process: (process.create_time(), process.pid))
    return found


def _service_of(process: psutil.Process, home: Path) -> str:
    """Return the service that a process is part of, or "". Raises psutil.Error.

    A process of PostgreSQL shows its activity where its environment was. It works in the folder of the data."""
    environment = process.environ()
    if environment.get(HOME_TAG) == str(home):
        return environment.get(SERVICE_TAG, "")
    is_postgres = process.name() == POSTGRES and process.cwd() == str(home / POSTGRES)
    return POSTGRES if is_postgres else ""


def terminate(targets: Iterable[tuple[psutil.Process, signal.Signals]], deadline: Deadline) -> None:
    """Send each process its signal, wait until the deadline, and kill those that are left."""
    asked = list(targets)
    for process, number in asked:
        _send(process, number)
    _, left = psutil.wait_procs([process for process, _ in asked], timeout=deadline.remaining_s())
    for process in left:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=KILL_TIMEOUT_S)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it ended first
