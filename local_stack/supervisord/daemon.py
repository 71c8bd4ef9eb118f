"""Launch supervisord and delete its socket after its end."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.paths import Paths, write_private
from local_stack.supervisord import processes
from local_stack.supervisord.client import Supervisor
from local_stack.supervisord.configuration import render_configuration

EXECUTABLE = Path(__file__).with_name("persistent_supervisord.py")
CONFIGURATION = "run/supervisord.conf"  # relative to the stack's home
START_TIMEOUT_S = 20


def launch(paths: Paths, environment: Mapping[str, str]) -> Supervisor:
    """Start supervisord in the background and wait until it answers. Raises StackError when it does not."""
    # In the system's temporary folder: a path inside a deep clone is too long for a socket.
    socket = Path(tempfile.mkdtemp(prefix="local-stack-")) / "supervisor"
    write_private(paths.home / CONFIGURATION, render_configuration(socket))
    write_private(paths.socket_note, str(socket))
    subprocess.Popen(
        # -P: modules beside the executable must not shadow others of the same name.
        [sys.executable, "-P", str(EXECUTABLE), "-c", CONFIGURATION],
        cwd=paths.home,
        env={**environment, **processes.tags(paths, processes.SUPERVISOR)},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    supervisor = Supervisor(socket)
    if not Deadline(START_TIMEOUT_S).poll(supervisor.answers, pause=0.05):
        raise StackError(f"supervisord did not start: see {paths.logs}.")
    return supervisor


def remove_socket(paths: Paths) -> None:
    if paths.socket_note.exists():
        shutil.rmtree(Path(paths.socket_note.read_text()).parent, ignore_errors=True)
        paths.socket_note.unlink()
