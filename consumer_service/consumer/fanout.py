"""Ring -> sockets. One thread writes to every viewer and never waits for one.

Viewers that have everything share one place in the ring and are sent the same bytes. One whose socket is
full leaves that group: it keeps the unsent rest of one piece and its own place in the ring, and catches up
piece by piece as it reads. It is told of a gap if the ring moves on without it, and cut if it accepts
nothing for a while."""

import logging
import selectors
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event as Flag

from consumer import sse
from consumer.client import Client, chunk
from consumer.ring import Ring
from consumer.viewer import Viewer, live

logger = logging.getLogger(__name__)

PIECE_BYTES = 256 << 10
SEND_S = 20e-6


@dataclass(frozen=True)
class Pace:
    """How often and how long."""

    window_s: float
    heartbeat_s: float
    stall_s: float
    buffer_bytes: int = PIECE_BYTES


class SocketFanout:
    def __init__(self, ring: Ring, state: Callable[[], str], pace: Pace, clock: Callable[[], float]) -> None:
        self._ring = ring
        self._state = state
        self._pace = pace
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._waker, self._wakened = socket.socketpair()
        for end in (self._waker, self._wakened):
            end.setblocking(False)
        self._selector.register(self._wakened, selectors.EVENT_READ)
        self._arrivals: deque[Client] = deque()
        self._in_step: set[Client] = set()
        self._behind: set[Client] = set()
        self._everyone: Viewer | None = None
        self._flushed_at = self._told_at = float("-inf")
        self._told = ""
        ring.on_change(self.wake)

    @property
    def count(self) -> int:
        return len(self._arrivals) + len(self._in_step) + len(self._behind)

    def attach(self, sock: socket.socket, chunked: bool, viewer: Viewer, first: bytes) -> None:
        """From any thread."""
        client = Client(sock, chunked, viewer, self._clock)
        client.send(first)
        self._arrivals.append(client)
        self.wake()

    def wake(self) -> None:
        """From any thread and from a signal handler. A full pipe means that it is awake already."""
        try:
            self._waker.send(b"\0")
        except BlockingIOError:
            return

    def run(self, stopping: Flag) -> None:
        while not stopping.is_set():
            self.step()
        self.end_all()

    def step(self) -> None:
        """Wait for something to do, and do it."""
        for key, mask in self._selector.select(self._patience()):
            self._attend(key.data, mask)
        while self._arrivals:
            self._welcome(self._arrivals.popleft())
        now = self._clock()
        if self._has_news() and now >= self._flushed_at + self._window():
            self._flush()
            self._flushed_at = now
        self._keep_in_touch(now)
        for client in [c for c in self._behind if now - c.progress > self._pace.stall_s]:
            self._cut(client)

    def _has_news(self) -> bool:
        return self._everyone is not None and self._everyone.number != self._ring.head

    def _window(self) -> float:
        """Events are gathered for as long as a round of writes takes; the first after a pause is not."""
        return min(self._pace.window_s, len(self._in_step) * SEND_S)

    def _patience(self) -> float:
        if self._has_news():
            return max(0.0, self._flushed_at + self._window() - self._clock())
        return min(1.0, self._pace.heartbeat_s / 4, self._pace.stall_s / 4)

    def _attend(self, client: Client | None, mask: int) -> None:
        if client is None:
            self._wakened.recv(4096)
        elif mask & selectors.EVENT_READ and client.has_left():
            self._drop(client)
        elif mask & selectors.EVENT_WRITE:
            self._catch_up(client)

    def _welcome(self, client: Client) -> None:
        self._flush()
        self._behind.add(client)
        self._selector.register(client.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, client)
        self._catch_up(client)

    def _flush(self) -> Viewer:
        """Everything new, to everyone who has all that was before it."""
        if self._everyone is None or not self._in_step:
            self._everyone = live(self._ring)
        while self._everyone.number != self._ring.head:
            self._send_all(self._everyone.take(self._ring, PIECE_BYTES))
        return self._everyone

    def _send_all(self, data: bytes) -> None:
        framed = chunk(data)
        for client in list(self._in_step):
            try:
                if not client.send_framed(framed if client.chunked else data):
                    self._fall_behind(client)
            except OSError:
                self._drop(client)

    def _fall_behind(self, client: Client) -> None:
        if self._everyone:
            client.viewer = replace(self._everyone)
        self._in_step.discard(client)
        self._behind.add(client)
        self._selector.modify(client.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, client)

    def _catch_up(self, client: Client) -> None:
        """One piece at a time, so that nobody waits for one who has much to catch up on."""
        try:
            if not client.send_rest():
                return
            if self._everyone and client.viewer.number >= self._everyone.number:
                self._fall_in_step(client)
            elif data := client.viewer.take(self._ring, self._pace.buffer_bytes):
                client.send(data)
        except OSError:
            self._drop(client)

    def _fall_in_step(self, client: Client) -> None:
        self._behind.discard(client)
        self._in_step.add(client)
        self._selector.modify(client.sock, selectors.EVENT_READ, client)

    def _keep_in_touch(self, now: float) -> None:
        """The status is heartbeat and bookmark in one, and goes out at once when the state changes."""
        state = self._state()
        if state == self._told and now < self._told_at + self._pace.heartbeat_s:
            return
        self._told, self._told_at = state, now
        if self._in_step:
            place = self._flush()
            self._send_all(sse.status(state, place.refreshed(self._ring).position))

    def _drop(self, client: Client) -> None:
        self._in_step.discard(client)
        self._behind.discard(client)
        self._selector.unregister(client.sock)
        client.sock.close()

    def _cut(self, client: Client) -> None:
        logger.info("Cut a viewer that has read nothing for %.0f s", self._pace.stall_s)
        client.reset()
        self._drop(client)

    def end_all(self) -> None:
        for client in self._in_step:
            client.say_goodbye()
        for client in [*self._in_step, *self._behind]:
            self._drop(client)

    def close(self) -> None:
        """When nobody calls `wake` any more."""
        self._selector.close()
        self._waker.close()
        self._wakened.close()
