"""Give a running web server its new code without refusing a request.

gunicorn's master keeps the listening socket. On SIGHUP it starts workers that load the code anew, then asks the old
ones to finish what they have begun."""

import signal
from pathlib import Path

import psutil

from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.lifecycle.logs import last_line

TIMEOUT_S = 60


def reload(name: str, pid: int, log: Path) -> None:
    """Replace the workers of a gunicorn, and return when the old ones have ended.

    Raises StackError when the new ones do not start: then the master ends as well, and is started again."""
    try:
        master = psutil.Process(pid)
        old = set(master.children())
        master.send_signal(signal.SIGHUP)
        done = Deadline(TIMEOUT_S).poll(lambda: not old & set(master.children()) and bool(master.children()))
    except psutil.NoSuchProcess:
        done = False
    if not done:
        raise StackError(f"{name} does not start with the new code: {last_line(log)}")
