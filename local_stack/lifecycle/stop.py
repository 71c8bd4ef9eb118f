"""Stop services, both supervised ones and those that a killed supervisord has left behind."""

import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.paths import Paths
from local_stack.services import BROKERS, CDC, GROUPS, POSTGRES, STOP_POLICIES, ZOOKEEPERS
from local_stack.supervisord import client, daemon, processes
from local_stack.supervisord.client import Supervisor

STOP_MARGIN_S = 10
# supervisord stops one group after the other.
SUPERVISOR_TIMEOUT_S = STOP_MARGIN_S + sum(
    max(STOP_POLICIES[name].timeout_s for name in members) for members in GROUPS.values()
)
KILL_TIMEOUT_S = 5


def stop_all(paths: Paths) -> bool:
    """Stop everything. Return whether anything was running.

    supervisord, asked to stop, first stops its services in their order."""
    found = processes.find(paths.home)
    supervisor = found.get(processes.SUPERVISOR, [])[:1]
    processes.terminate([(process, signal.SIGTERM) for process in supervisor], Deadline(SUPERVISOR_TIMEOUT_S))
    for group in (GROUPS["apps"], CDC, BROKERS, (POSTGRES, *ZOOKEEPERS)):
        _stop_unsupervised(paths, group)
    daemon.remove_socket(paths)
    return bool(found)


def stop_services(paths: Paths, names: Collection[str]) -> None:
    """Stop these services. Raises StackError when one does not stop in time."""
    supervisor = client.connect(paths)
    if supervisor:
        _stop_supervised(supervisor, names)
    _stop_unsupervised(paths, names)


def _stop_supervised(supervisor: Supervisor, names: Collection[str]) -> None:
    def all_stopped() -> bool:
        services = supervisor.services()
        up = [name for name in names if name in services and services[name].state != client.STOPPED]
        supervisor.stop(up)
        return not up

    if not Deadline(_timeout_s(names) + STOP_MARGIN_S).poll(all_stopped):
        raise StackError(f"{', '.join(sorted(names))} could not be stopped.")


def _stop_unsupervised(paths: Paths, names: Collection[str]) -> None:
    """Ask the main process of each service to stop, with its workers. Then kill what is left of them."""
    found = processes.find(paths.home)
    main_processes = [(found[name][0], STOP_POLICIES[name].signal) for name in names if name in found]
    processes.terminate(main_processes, Deadline(_timeout_s(names)))
    found = processes.find(paths.home)
    rest = [process for name in names for process in found.get(name, [])]
    processes.terminate([(process, signal.SIGKILL) for process in rest], Deadline(KILL_TIMEOUT_S))


def _timeout_s(names: Collection[str]) -> int:
    return max(STOP_POLICIES[name].timeout_s for name in names)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore SIGINT, SIGTERM and SIGHUP, so that a second Ctrl-C does not interrupt the clean-up after the
    first one. The clean-up takes bounded time."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
