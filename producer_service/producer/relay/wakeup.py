"""A wait that can be ended by other threads and by signal handlers, in which a threading.Event may deadlock."""

import os
import select
from contextlib import suppress


class Wakeup:
    """A pipe: whoever wants attention writes to one end, the other end is waited on."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def set(self) -> None:
        """End the current wait, or the next one."""
        with suppress(BlockingIOError):  # a full pipe: it is set already
            os.write(self._write, b".")

    def wait(self, timeout_s: float) -> None:
        """Wait until set, for at most `timeout_s`; return at once when set since the last wait."""
        waiter = select.poll()  # not select(), which fails for descriptors above 1,023
        waiter.register(self._read, select.POLLIN)
        if waiter.poll(timeout_s * 1000):
            os.read(self._read, 65536)

    def close(self) -> None:
        """Close both ends of the pipe."""
        os.close(self._read)
        os.close(self._write)
