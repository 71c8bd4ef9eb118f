"""Render the files that supervisord reads and runs: its configuration and a script for each program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import join, quote

from local_stack.services import GROUPS, STOP_POLICIES

# Paths are relative to the stack's home, where supervisord runs: no home needs quoting, whatever its name.
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
"""

# The members of a group are stopped together, the groups one after the other, from the highest priority down.
GROUP = """
[group:{name}]
programs = {members}
priority = {priority}
"""

# The stop signal goes to the main process only (gunicorn and postgres pass it on), SIGKILL to its group.
PROGRAM = """
[program:{name}]
command = /bin/sh run/{name}.sh
autostart = false
autorestart = true
startsecs = 2
startretries = 1000000
stopsignal = {policy.signal.name}
stopwaitsecs = {policy.timeout_s}
killasgroup = true
redirect_stderr = true
stdout_logfile = logs/{name}.log
stdout_logfile_maxbytes = 5MB
stdout_logfile_backups = 2
"""


@dataclass(frozen=True)
class Program:
    """The command of one service, the folder it runs in, and variables added to its environment."""

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def render_configuration(socket: Path) -> str:
    groups = (
        GROUP.format(name=name, members=",".join(members), priority=priority)
        for priority, (name, members) in enumerate(GROUPS.items(), 1)
    )
    programs = (PROGRAM.format(name=name, policy=policy) for name, policy in STOP_POLICIES.items())
    return "".join([DAEMON.format(socket=socket), *groups, *programs])


def render_script(program: Program, tags: Mapping[str, str]) -> str:
    """Return a script in which /bin/sh sets up the environment, then becomes the program: the pid stays."""
    environment = {**tags, **program.environment}
    exports = "".join(f"export {key}={quote(value)}\n" for key, value in environment.items())
    return f"{exports}cd {quote(str(program.folder))} && exec {join(program.command)}\n"
