"""A wait that others can end: threads, and signal handlers, in which a threading.Event may deadlock."""

import os
import select
from contextlib import suppress


class Wakeup:
    """A pipe: one end is written by whoever wants us to look, the other is waited on."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def set(self) -> None:
        with suppress(BlockingIOError):  # full: it is set many times over
            os.write(self._write, b".")

    def wait(self, timeout_s: float) -> None:
        """Until set, or for `timeout_s`; at once when it was set since the last wait."""
        if select.select([self._read], [], [], timeout_s)[0]:
            os.read(self._read, 65536)

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)
