"""The threads that run beside the requests."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

JOIN_S = 2.0

Run = Callable[[threading.Event], None]


class Background:
    """Threads that live as long as the worker process, each running until an event is set."""

    def __init__(self, runs: Mapping[str, Run]) -> None:
        """Start nothing yet. runs: by thread name."""
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run_or_end_worker, args=item, name=item[0], daemon=True)
            for item in runs.items()
        ]

    def start(self) -> None:
        """Start all threads. To be called after the fork, which they would not survive."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask all threads to end. It only sets a flag, so a signal handler may call it."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for all threads to end, for at most JOIN_S seconds."""
        deadline = time.monotonic() + JOIN_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run_or_end_worker(self, name: str, run: Run) -> None:
        """Run a thread. A worker without it would look alive and show nothing, so gunicorn gets to start a new one."""
        try:
            run(self._stopping)
        finally:
            if not self._stopping.is_set():
                logger.critical("The %s thread has ended unexpectedly: this worker ends too", name)
                os.kill(os.getpid(), signal.SIGTERM)
