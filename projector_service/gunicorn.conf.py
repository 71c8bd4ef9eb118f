"""gunicorn for the projector: one worker, which is one member of the consumer group."""

import ctypes
import os
import signal
import sys
from types import FrameType

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # the worker's class is beside this file

workers = 1
worker_class = "head_first_worker.HeadFirstWorker"
threads = 8
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
        "librdkafka": {"level": "CRITICAL"},  # it logs every attempt to connect as an error; health tells
    },
}


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Tie the worker to the master (Linux): an orphan would keep the port, and its partitions from the next one."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != server.pid:  # it died before we asked
            os._exit(1)


def post_worker_init(worker: Worker) -> None:
    """Start the services, and ask them to end on SIGTERM, while gunicorn waits for the last requests."""
    services = worker.wsgi.extensions["services"]
    services.start()
    gunicorns_own = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        """Let the batch that is being applied be the last."""
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
