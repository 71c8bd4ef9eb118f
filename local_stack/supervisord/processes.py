"""Finds a stack's processes by a mark in their environment: also those that outlive a killed supervisord.

Not by recorded pids: a pid is somebody else's after a while, and a restarted service has another one.
"""

import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

from local_stack.deadline import Deadline
from local_stack.paths import Paths

HOME, SERVICE = "LOCAL_STACK_HOME", "LOCAL_STACK_SERVICE"
SUPERVISOR = "supervisord"


def mark(paths: Paths, service: str) -> dict[str, str]:
    return {HOME: str(paths.home), SERVICE: service}


def find(home: Path) -> dict[str, list[psutil.Process]]:
    """The processes of each service that run, the oldest first: a service's master, then its workers."""
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue  # gone meanwhile, a zombie, or another user's: none of ours
        if environment.get(HOME) == str(home) and SERVICE in environment:
            found.setdefault(environment[SERVICE], []).append(process)
    for family in found.values():
        family.sort(key=lambda process: (process.create_time(), process.pid))
    return found


def end(asked: Iterable[tuple[psutil.Process, signal.Signals]], deadline: Deadline) -> None:
    """Ask each with its signal, wait, and kill what is left."""
    targets = list(asked)
    for process, number in targets:
        _send(process, number)
    _, left = psutil.wait_procs([process for process, _ in targets], timeout=deadline.left())
    for process in left:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=5)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it was quicker
