"""gunicorn for the producer: few workers, each with an event loop, some threads and a Kafka client of its own."""

import ctypes
import logging
import os
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1
MOST_WORKERS = 4

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # the worker's class is beside this file

sys.modules.pop("loop_worker", None)  # a reload reads this file anew, and shall read that one too
worker_class = "loop_worker.LoopWorker"
# Each can fill a core; the other half of the machine is for the database and the brokers, which are often here too.
workers = int(os.environ.get("WEB_CONCURRENCY") or max(1, min(MOST_WORKERS, (os.cpu_count() or 1) // 2)))
threads = int(os.environ.get("PRODUCER_THREADS", "16"))
graceful_timeout = 12  # longer than a request may wait for the database, then the flush to Kafka
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a heartbeat file on a disk can block
control_socket_disable = True
forwarded_allow_ips = ""  # nothing reads X-Forwarded-*, and comparing addresses takes time
forwarder_headers = ""  # a client on loopback could send SCRIPT_NAME, and a wrong one is a 500

logging.basicConfig(
    level=logging.INFO,
    stream=sys.stderr,
    format="%(asctime)s %(levelname)s %(name)s %(message)s",
)


def post_fork(server: Any, worker: Any) -> None:
    """Tie the worker to the master (Linux): if the master is killed, an orphan would keep the port."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server.pid:  # it died before we asked
            os._exit(1)


def post_worker_init(worker: Any) -> None:
    """Start the services after the fork: threads and Kafka's client do not survive one."""
    worker.wsgi.extensions["services"].start()


def worker_exit(server: Any, worker: Any) -> None:
    """Stop the services. Also runs when the application could not be loaded, and then there is nothing to stop."""
    if worker.wsgi is not None:
        worker.wsgi.extensions["services"].stop()
