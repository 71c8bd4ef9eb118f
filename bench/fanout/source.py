"""Events at a fixed rate, whatever the server does: what it takes later than it was due came late."""

import threading
import time
from collections.abc import Callable

from bench.fanout.events import event
from bench.fanout.feed import Feed

END_S = 10.0


class Source:
    """Publishes events in a thread of its own until it is stopped. batch: how many come at once."""

    def __init__(self, open_feed: Callable[[], Feed], rate: float, batch: int = 1, first: int = 1) -> None:
        """Open the feed; `start` begins. first: the number of the first event."""
        self._feed = open_feed()
        self._pause_ns = int(batch / rate * 1e9)
        self._batch = batch
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._begun_ns = 0
        self.next = first
        self._first = first
        self.error = ""

    def start(self) -> None:
        """Begin to publish."""
        self._begun_ns = time.monotonic_ns()
        self._thread.start()

    @property
    def published(self) -> int:
        """How many events have been published."""
        return self.next - self._first

    def stop(self) -> int:
        """End; return the number of the last event. Raises RuntimeError when events could not be handed over."""
        self._stopping.set()
        self._thread.join(END_S)
        self._feed.close()
        if self.error or self._thread.is_alive():
            raise RuntimeError(self.error or "The server takes no events.")
        return self.next - 1

    def _run(self) -> None:
        due_ns = self._begun_ns
        try:
            while not self._stopping.wait(max(0.0, (due_ns - time.monotonic_ns()) / 1e9)):
                self._feed.publish([event(self.next + number, due_ns) for number in range(self._batch)])
                self.next += self._batch
                due_ns += self._pause_ns
        except (OSError, RuntimeError) as error:
            self.error = f"{type(error).__name__}: {error}"
