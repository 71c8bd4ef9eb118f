"""The portable way to stream: a generator and a thread for each viewer. For servers that cannot hand a
connection over (TLS or HTTP/2 in gunicorn, another WSGI server)."""

from collections.abc import Callable, Iterator
from threading import Event as Flag
from threading import Lock

from consumer import sse
from consumer.fanout import Pace
from consumer.ring import Ring
from consumer.viewer import Viewer

STOP_S = 0.5


class GeneratorFanout:
    def __init__(self, ring: Ring, state: Callable[[], str], pace: Pace, clock: Callable[[], float]) -> None:
        self._ring = ring
        self._state = state
        self._pace = pace
        self._clock = clock
        self._lock = Lock()
        self._stopping = Flag()
        self.count = 0

    def wake(self) -> None:
        """Nothing to wake: generators look at the flag themselves."""

    def run(self, stopping: Flag) -> None:
        stopping.wait()
        self._stopping.set()

    def stream(self, viewer: Viewer, first: bytes) -> Iterator[bytes]:
        self._enter(1)
        try:
            yield first
            yield from self._blocks(viewer)
        finally:
            self._enter(-1)

    def _blocks(self, viewer: Viewer) -> Iterator[bytes]:
        told, told_at = self._state(), self._clock()
        while not self._stopping.is_set():
            if data := viewer.take(self._ring, self._pace.buffer_bytes):
                yield data
            state, now = self._state(), self._clock()
            if state != told or now >= told_at + self._pace.heartbeat_s:
                told, told_at = state, now
                yield sse.status(state, viewer.refreshed(self._ring).position)
            self._ring.wait_past(viewer.number, min(STOP_S, self._pace.heartbeat_s / 4))

    def _enter(self, change: int) -> None:
        with self._lock:
            self.count += change
