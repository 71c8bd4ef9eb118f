"""supervisord: its start, and what it is asked over its private socket."""

import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.states import ProcessStates
from supervisor.xmlrpc import Faults, SupervisorTransport

from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.paths import Paths, write_private
from local_stack.services import STORES
from local_stack.supervisord import configuration, processes

WORDS = {
    ProcessStates.STARTING: "running",
    ProcessStates.RUNNING: "running",
    ProcessStates.BACKOFF: "restarting",
    ProcessStates.EXITED: "restarting",
    ProcessStates.STOPPING: "stopping",
}


@dataclass(frozen=True)
class Seen:
    """A service as its supervisor sees it; `started` changes with each new process."""

    state: str
    pid: int
    started: int


class Supervisor:
    """A supervisord that runs."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    @property
    def _rpc(self) -> Any:
        """A new connection for each call: one that has failed once would stay unusable."""
        transport = SupervisorTransport(serverurl=f"unix://{self._socket}")
        return xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor

    def answers(self) -> bool:
        try:
            return bool(self._rpc.getState()["statename"] == "RUNNING")
        except (OSError, HTTPException, xmlrpc.client.Error):
            return False

    def services(self) -> Mapping[str, Seen]:
        return {
            info["name"]: Seen(WORDS.get(info["state"], "stopped"), info["pid"], info["start"])
            for info in self._rpc.getAllProcessInfo()
        }

    def start(self, names: Iterable[str]) -> None:
        for name in names:
            with _unless(Faults.ALREADY_STARTED):
                self._rpc.startProcess(_in_group(name), False)

    def stop(self, names: Iterable[str]) -> None:
        """To be repeated until they have stopped: what is between two starts cannot be asked."""
        for name in names:
            with _unless(Faults.NOT_RUNNING):
                self._rpc.stopProcess(_in_group(name), False)


@contextmanager
def _unless(expected: int) -> Iterator[None]:
    try:
        yield
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != expected:
            raise StackError(f"supervisord refuses: {fault.faultString}.") from fault


def _in_group(name: str) -> str:
    return f"{'stores' if name in STORES else 'apps'}:{name}"


def launch(paths: Paths, environment: Mapping[str, str]) -> Supervisor:
    # A deep clone's own path is too long for a socket's name.
    socket = Path(tempfile.mkdtemp(prefix="local-stack-")) / "supervisor"
    write_private(paths.run / "supervisord.conf", configuration.configuration(socket))
    write_private(paths.run / "socket", str(socket))
    subprocess.Popen(
        # -P: this folder's modules must not stand in for others of the same name.
        [
            sys.executable,
            "-P",
            str(Path(__file__).with_name("persistent_supervisord.py")),
            "-c",
            "run/supervisord.conf",
        ],
        cwd=paths.home,
        env={**environment, **processes.mark(paths, processes.SUPERVISOR)},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    supervisor = Supervisor(socket)
    if not Deadline(20).poll(supervisor.answers, pause=0.05):
        raise StackError(f"supervisord does not come up: see {paths.logs}.")
    return supervisor


def find(paths: Paths) -> Supervisor | None:
    note = paths.run / "socket"
    if not note.exists():
        return None
    supervisor = Supervisor(Path(note.read_text()))
    return supervisor if supervisor.answers() else None
