"""Ends services, supervised or left behind by a supervisor that was killed."""

import shutil
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack import processes
from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.services import APPS, STOPS, STORES
from local_stack.supervision import Supervisor

SUPERVISOR_S, LEFT_BEHIND_S = 30, 10


def everything(layout: Layout) -> bool:
    """Whether anything ran. A supervisord that is asked to end ends its services first, in their order."""
    found = processes.find(layout.home)
    supervisor = found.get(processes.SUPERVISOR, [])[:1]
    processes.end([(process, signal.SIGTERM) for process in supervisor], Deadline(SUPERVISOR_S))
    for group in (APPS, STORES):
        left = processes.find(layout.home)
        masters = [(left[name][0], STOPS[name].signal) for name in group if name in left]
        processes.end(masters, Deadline(LEFT_BEHIND_S))
    rest = (process for family in processes.find(layout.home).values() for process in family)
    processes.end([(process, signal.SIGKILL) for process in rest], Deadline(LEFT_BEHIND_S))
    _forget_socket(layout)
    return bool(found)


def some(supervisor: Supervisor, names: Iterable[str]) -> None:
    wanted = set(names)

    def stopped() -> bool:
        seen = supervisor.services()
        return all(seen[name].state == "stopped" for name in wanted)

    supervisor.stop(name for name in sorted(wanted) if supervisor.services()[name].state != "stopped")
    if not Deadline(max(STOPS[name].seconds for name in wanted) + 10).poll(stopped):
        raise StackError(f"{', '.join(sorted(wanted))} could not be stopped.")


def _forget_socket(layout: Layout) -> None:
    note = layout.run / "socket"
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
