"""The plain fallback: a generator and a thread for each viewer.

For servers that cannot hand a connection over: TLS or HTTP/2 in gunicorn, another WSGI server."""

import threading
from collections.abc import Callable, Iterator

from consumer.fanout import sse
from consumer.fanout.policy import FanoutPolicy
from consumer.fanout.viewer import Viewer
from consumer.ring.ring import Ring

STOP_S = 0.5


class GeneratorFanout:
    """Streams as generators, which the server iterates over in a thread of its own each."""

    def __init__(
        self, ring: Ring, state: Callable[[], str], policy: FanoutPolicy, clock: Callable[[], float]
    ) -> None:
        self._ring = ring
        self._state = state
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.count = 0

    def run(self, stopping: threading.Event) -> None:
        """End all streams once `stopping` is set."""
        stopping.wait()
        self._stopping.set()

    def stream(self, viewer: Viewer, first: bytes) -> Iterator[bytes]:
        """Return the blocks of one stream, beginning with `first`."""
        self._change_count(1)
        try:
            yield first
            yield from self._blocks(viewer)
        finally:
            self._change_count(-1)

    def _blocks(self, viewer: Viewer) -> Iterator[bytes]:
        status, status_at = self._state(), self._clock()
        while not self._stopping.is_set():
            if data := viewer.take(self._ring, self._policy.buffer_bytes):
                yield data
            if gap := viewer.check_position(self._ring):
                yield gap
            state, now = self._state(), self._clock()
            if state != status or now >= status_at + self._policy.heartbeat_s:
                status, status_at = state, now
                yield sse.status(state, viewer.refreshed(self._ring).position)
            self._ring.wait_past(viewer.number, min(STOP_S, self._policy.heartbeat_s / 4))

    def _change_count(self, by: int) -> None:
        with self._lock:
            self.count += by
