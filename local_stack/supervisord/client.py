"""Control a running supervisord through its private socket."""

import xmlrpc.client
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from supervisor.states import ProcessStates
from supervisor.xmlrpc import Faults, SupervisorTransport

from local_stack.errors import StackError
from local_stack.paths import Paths
from local_stack.services import group_of

RUNNING, RESTARTING, STOPPING, STOPPED = "running", "restarting", "stopping", "stopped"

# All other states of supervisord count as stopped.
STATES = {
    ProcessStates.STARTING: RUNNING,
    ProcessStates.RUNNING: RUNNING,
    ProcessStates.BACKOFF: RESTARTING,
    ProcessStates.EXITED: RESTARTING,
    ProcessStates.STOPPING: STOPPING,
}


@dataclass(frozen=True)
class ProcessInfo:
    """A service as supervisord sees it. `started` is another Unix time for each new process."""

    state: str
    pid: int
    started: int


class Supervisor:
    """The client of one supervisord."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    @contextmanager
    def _rpc(self) -> Iterator[Any]:
        """Open a connection for one call or a few: one that has failed once would stay unusable."""
        with closing(SupervisorTransport(serverurl=f"unix://{self._socket}")) as transport:
            yield xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor

    def answers(self) -> bool:
        try:
            with self._rpc() as rpc:
                return bool(rpc.getState()["statename"] == "RUNNING")
        except (OSError, HTTPException, xmlrpc.client.Error, ExpatError):
            return False

    def services(self) -> Mapping[str, ProcessInfo]:
        with self._rpc() as rpc:
            return {
                info["name"]: ProcessInfo(STATES.get(info["state"], STOPPED), info["pid"], info["start"])
                for info in rpc.getAllProcessInfo()
            }

    def start(self, names: Iterable[str]) -> None:
        for name in names:
            with self._rpc() as rpc, _ignored(Faults.ALREADY_STARTED):
                rpc.startProcess(_qualified(name), False)

    def stop(self, names: Iterable[str]) -> None:
        """Ask services to stop. Repeat this until they have stopped: to supervisord, a service that has just
        exited is not running, and is started again."""
        for name in names:
            with self._rpc() as rpc, _ignored(Faults.NOT_RUNNING):
                rpc.stopProcess(_qualified(name), False)


@contextmanager
def _ignored(fault_code: int) -> Iterator[None]:
    try:
        yield
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != fault_code:
            raise StackError(f"supervisord refuses: {fault.faultString}.") from fault


def _qualified(name: str) -> str:
    return f"{group_of(name)}:{name}"


def connect(paths: Paths) -> Supervisor | None:
    """Return a client of the supervisord that runs for this stack, or None if there is none."""
    if not paths.socket_note.exists():
        return None
    supervisor = Supervisor(Path(paths.socket_note.read_text()))
    return supervisor if supervisor.answers() else None
