"""What supervisord reads and runs: its configuration, and a small script for each service."""

from collections.abc import Mapping
from pathlib import Path
from shlex import join, quote

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


def configuration(socket: Path) -> str:
    programs = (
        PROGRAM.format(name=name, signal=it.signal.name, seconds=it.seconds) for name, it in STOPS.items()
    )
    return DAEMON.format(socket=socket, stores=",".join(STORES), apps=",".join(APPS)) + "".join(programs)


def script(service: Service, mark: Mapping[str, str]) -> str:
    """/bin/sh sets the service's process up and becomes it, so the pid stays."""
    environment = {**mark, **service.environment}
    exports = "".join(f"export {key}={quote(value)}\n" for key, value in environment.items())
    return f"{exports}cd {quote(str(service.folder))} && exec {join(service.command)}\n"
