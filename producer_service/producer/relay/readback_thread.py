"""The thread that does the read-back's steps, one after another."""

import threading

from producer.relay.readback import ReadBack


class ReadBackThread:
    """A loop around `ReadBack.step()`."""

    def __init__(self, readback: ReadBack):
        self._readback = readback
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read-back", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End the thread, waiting for at most `timeout_s`."""
        self._stop.set()
        self._thread.join(timeout_s)

    def check(self) -> None:
        """Raise ReadBackEnded unless the thread runs: without it nothing may be claimed."""
        if not self._thread.is_alive():
            raise ReadBackEnded

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._stop.wait(self._readback.step())
        finally:
            self._readback.close()


class ReadBackEnded(Exception):
    """The read-back thread has ended, and without it nothing may be claimed."""
