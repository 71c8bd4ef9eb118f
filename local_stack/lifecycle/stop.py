"""Ends services, supervised or left behind by a supervisor that was killed."""

import shutil
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.paths import Paths
from local_stack.ports import BROKERS
from local_stack.services import APPS, STOPS
from local_stack.supervisord import client, processes
from local_stack.supervisord.client import Supervisor

SUPERVISOR_S = 30


def everything(paths: Paths) -> bool:
    """Whether anything ran. A supervisord that is asked to end ends its services first, in their order."""
    found = processes.find(paths.home)
    supervisor = found.get(processes.SUPERVISOR, [])[:1]
    processes.end([(process, signal.SIGTERM) for process in supervisor], Deadline(SUPERVISOR_S))
    for group in (APPS, BROKERS, ("postgres",)):
        _end_left_behind(paths, group)
    _forget_socket(paths)
    return bool(found)


def some(paths: Paths, names: Collection[str]) -> None:
    supervisor = client.find(paths)
    if supervisor:
        _end_supervised(supervisor, names)
    _end_left_behind(paths, names)


def _end_supervised(supervisor: Supervisor, names: Collection[str]) -> None:
    def all_stopped() -> bool:
        seen = supervisor.services()
        up = [name for name in names if seen[name].state != "stopped"]
        supervisor.stop(up)
        return not up

    if not Deadline(_seconds(names) + 10).poll(all_stopped):
        raise StackError(f"{', '.join(sorted(names))} could not be stopped.")


def _end_left_behind(paths: Paths, names: Collection[str]) -> None:
    """The master of each service ends its own; then what is left of them is killed."""
    found = processes.find(paths.home)
    masters = [(found[name][0], STOPS[name].signal) for name in names if name in found]
    processes.end(masters, Deadline(_seconds(names)))
    found = processes.find(paths.home)
    rest = [process for name in names for process in found.get(name, [])]
    processes.end([(process, signal.SIGKILL) for process in rest], Deadline(5))


def _seconds(names: Collection[str]) -> int:
    return max(STOPS[name].seconds for name in names)


def _forget_socket(paths: Paths) -> None:
    note = paths.run / "socket"
    if note.exists():
        shutil.rmtree(Path(note.read_text()).parent, ignore_errors=True)
        note.unlink()


@contextmanager
def undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not keep the first one from cleaning up; that takes bounded time."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
