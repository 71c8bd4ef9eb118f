"""supervisord: its configuration, its start, and what it is asked over its private socket."""

import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from shlex import join, quote
from typing import Any

from supervisor.states import ProcessStates
from supervisor.xmlrpc import SupervisorTransport

from local_stack import processes
from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.layout import Layout, write_private
from local_stack.services import APPS, STOPS, STORES, Service

# Every path is relative to the stack's home, where supervisord runs: no quoting, whatever the home is called.
DAEMON = """\
[supervisord]
nodaemon = true
logfile = logs/supervisord.log
logfile_maxbytes = 1MB
logfile_backups = 1
pidfile = run/supervisord.pid
identifier = local_stack
childlogdir = logs

[unix_http_server]
file = {socket}
chmod = 0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

# A group's members are stopped together, the groups one after the other, from the highest priority down.
[group:stores]
programs = {stores}
priority = 1

[group:apps]
programs = {apps}
priority = 2
"""

# The signal to stop goes to the service alone (gunicorn and postgres pass it on), the last one to its group.
PROGRAM = """
[program:{name}]
command = /bin/sh run/{name}.sh
autostart = false
autorestart = true
startsecs = 2
startretries = 1000000
stopsignal = {signal}
stopwaitsecs = {seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = logs/{name}.log
stdout_logfile_maxbytes = 5MB
stdout_logfile_backups = 2
"""

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


def write_script(layout: Layout, service: Service) -> None:
    """What the service's process is: /bin/sh sets it up and becomes it, so the pid stays."""
    environment = {**processes.mark(layout, service.name), **service.environment}
    exports = "".join(f"export {key}={quote(value)}\n" for key, value in environment.items())
    text = f"{exports}cd {quote(str(service.folder))} && exec {join(service.command)}\n"
    write_private(layout.run / f"{service.name}.sh", text)


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
            self._rpc.startProcess(_in_group(name), False)

    def stop(self, names: Iterable[str]) -> None:
        for name in names:
            self._rpc.stopProcess(_in_group(name), False)


def _in_group(name: str) -> str:
    return f"{'stores' if name in STORES else 'apps'}:{name}"


def launch(layout: Layout, environment: Mapping[str, str]) -> Supervisor:
    # A deep clone's own path is too long for a socket's name.
    socket = Path(tempfile.mkdtemp(prefix="order-stream-")) / "supervisor"
    daemon = DAEMON.format(socket=socket, stores=",".join(STORES), apps=",".join(APPS))
    programs = (
        PROGRAM.format(name=name, signal=stop.signal.name, seconds=stop.seconds)
        for name, stop in STOPS.items()
    )
    write_private(layout.run / "supervisord.conf", daemon + "".join(programs))
    write_private(layout.run / "socket", str(socket))
    subprocess.Popen(
        # -P: this folder's modules must not stand in for others of the same name.
        [
            sys.executable,
            "-P",
            str(Path(__file__).with_name("never_give_up.py")),
            "-c",
            "run/supervisord.conf",
        ],
        cwd=layout.home,
        env={**environment, **processes.mark(layout, processes.SUPERVISOR)},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    supervisor = Supervisor(socket)
    if not Deadline(20).poll(supervisor.answers, pause=0.05):
        raise StackError(f"supervisord does not come up: see {layout.logs}.")
    return supervisor


def find(layout: Layout) -> Supervisor | None:
    note = layout.run / "socket"
    if not note.exists():
        return None
    supervisor = Supervisor(Path(note.read_text()))
    return supervisor if supervisor.answers() else None
