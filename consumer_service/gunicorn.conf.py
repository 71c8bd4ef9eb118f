"""gunicorn for the consumer: one worker, as every replica reads the whole topic once for all its viewers."""

import ctypes
import os
import resource
import signal
import sys
from types import FrameType

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # the worker's class is beside this file

workers = 1
worker_class = "head_first_worker.HeadFirstWorker"
# An open stream leaves its thread (fanout/hijack.py); with the fallback it keeps it (fanout/threads.py).
threads = 108 if os.environ.get("FANOUT") == "generator" else 8
worker_connections = 1000
keepalive = 5
timeout = 30
graceful_timeout = 5
control_socket_disable = True
forwarder_headers = ""  # a client on loopback could send SCRIPT_NAME, and a wrong one is a 500
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
logconfig_dict = {
    "root": {"level": "INFO", "handlers": ["error_console"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["error_console"], "propagate": False},
        "gunicorn.access": {"level": "WARNING", "handlers": ["console"], "propagate": False},
        "librdkafka": {"level": "ERROR"},
    },
}


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Tie the worker to the master (Linux): an orphan with open streams would keep the port."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != server.pid:  # it died before we asked
            os._exit(1)


def post_worker_init(worker: Worker) -> None:
    """Raise the limit of open files, start the services, and stop them on SIGTERM."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    services = worker.wsgi.extensions["services"]
    services.start()
    gunicorns_own = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        """End the streams and the tail first: `worker_exit` would come only after the graceful timeout."""
        services.stop()
        gunicorns_own(number, frame)

    signal.signal(signal.SIGTERM, stop)
    signal.siginterrupt(signal.SIGTERM, False)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """Also runs when the application could not be loaded, and then there is nothing to end."""
    services = worker.wsgi and worker.wsgi.extensions["services"]
    if services:
        services.stop()
        services.join()
