"""The plain fallback: a generator and a thread for each viewer.

For servers that cannot hand a connection over: TLS or HTTP/2 in gunicorn, another WSGI server."""

import threading
from collections.abc import Callable, Iterator

from consumer.fanout import sse
from consumer.fanout.policy import FanoutPolicy
from consumer.fanout.replaying import Replay, next_blocks
from consumer.fanout.viewer import Viewer
from consumer.ring.ring import Ring
from consumer.ring.stats import LatestStats

STOP_S = 0.5


class GeneratorFanout:
    """Streams as generators, which the server iterates over in a thread of its own each."""

    def __init__(
        self, ring: Ring, replay: Replay, state: Callable[[], str], policy: FanoutPolicy,
        clock: Callable[[], float], stats: LatestStats | None = None,
    ) -> None:  # fmt: skip
        self._ring = ring
        self._replay = replay
        self._state = state
        self._policy = policy
        self._clock = clock
        self._stats = stats or LatestStats(clock)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.count = 0

    def run(self, stopping: threading.Event) -> None:
        """End all streams once `stopping` is set."""
        stopping.wait()
        self._stopping.set()

    def stream(self, viewer: Viewer, first: bytes, wants_stats: bool = False) -> Iterator[bytes]:
        """Return the blocks of one stream, beginning with `first`."""
        self._change_count(1)
        try:
            yield first
            yield from self._blocks(viewer, wants_stats)
        finally:
            self._change_count(-1)

    def _blocks(self, viewer: Viewer, wants_stats: bool) -> Iterator[bytes]:
        status, status_at = self._state(), self._clock()
        number = 0  # of the figures that were sent last
        while not self._stopping.is_set():
            if wants_stats and self._stats.number != number:
                number, stats = self._stats.get()
                yield sse.stats(stats.payload) if stats else b""
            yield from self._past(viewer) if viewer.is_behind else self._present(viewer)
            state, now = self._state(), self._clock()
            if state != status or now >= status_at + self._policy.heartbeat_s:
                status, status_at = state, now
                yield viewer.status(state) if viewer.is_behind else viewer.refreshed(self._ring).status(state)

    def _present(self, viewer: Viewer) -> Iterator[bytes]:
        """Return what the ring has for a viewer, and wait for more."""
        if data := viewer.take(self._ring, self._policy.buffer_bytes):
            yield data
        if viewer.is_behind:
            return
        if gap := viewer.check_position(self._ring):
            yield gap
        if viewer.replaying is not None and viewer.number == self._ring.head:
            viewer.replaying = None
            yield viewer.status(self._state())  # it is live from here on
        self._ring.wait_past(viewer.number, self._wait_s)

    def _past(self, viewer: Viewer) -> Iterator[bytes]:
        """Return what the ring no longer has, or wait until it has been read."""
        number = self._replay.number
        data = next_blocks(viewer, self._ring.view(), self._replay, self._state(), self._policy.buffer_bytes)
        if data:
            yield data
        elif data is None:
            self._replay.wait_past(number, self._wait_s)

    @property
    def _wait_s(self) -> float:
        return min(STOP_S, self._policy.heartbeat_s / 4)

    def _change_count(self, by: int) -> None:
        with self._lock:
            self.count += by
