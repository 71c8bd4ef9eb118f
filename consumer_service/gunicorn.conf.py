"""One worker: every replica reads the whole topic once and shows it to all of its viewers."""

import ctypes
import os
import resource
import signal
import sys
from types import FrameType

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

workers = 1
worker_class = "gthread"
# An open stream leaves its thread (consumer/handover.py); with the fallback it keeps it (generator.py).
threads = 108 if os.environ.get("FANOUT") == "generator" else 8
worker_connections = 1000
keepalive = 5
timeout = 30
graceful_timeout = 5
control_socket_disable = True
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
    """If the master is killed, so is its worker, streams or not: an orphan would keep the port."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != server.pid:  # it died before we asked
            os._exit(1)


def post_worker_init(worker: Worker) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    service = worker.wsgi.extensions["consumer"]
    service.start()
    gunicorns_own = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        """End the streams and the tail first: `worker_exit` would come only after the graceful timeout."""
        service.stop()
        gunicorns_own(number, frame)

    signal.signal(signal.SIGTERM, stop)
    signal.siginterrupt(signal.SIGTERM, False)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    service = worker.wsgi and worker.wsgi.extensions["consumer"]
    if service:
        service.stop()
        service.join()
