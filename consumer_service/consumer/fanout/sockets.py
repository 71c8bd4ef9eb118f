"""From the ring to sockets: one thread writes to every viewer and never waits for one.

Live viewers have everything: they share one place in the ring and are sent the same bytes. One whose socket is
full becomes lagging: it keeps the unsent rest of one write and its own place in the ring, and catches up slice
by slice as it reads, up to the shared place and never beyond. It is told of a gap when the ring moves on without
it, and cut when it accepts nothing for a while. A waiting viewer has nothing to be sent although it is not live:
it is ahead of the shared place, or comes from a faster replica.

Each step is bounded, whatever comes in meanwhile: one slice to the live viewers, one to each lagging viewer whose
socket takes it, and then everything else gets its turn."""

import logging
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from consumer.fanout import sse
from consumer.fanout.client import Client, chunk
from consumer.fanout.policy import FanoutPolicy
from consumer.fanout.slice_cache import SliceCache
from consumer.fanout.viewer import Viewer, live
from consumer.ring.ring import Ring

logger = logging.getLogger(__name__)

SEND_S = 20e-6
READ, READ_WRITE = selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE


class SocketFanout:
    """Owns the sockets of all viewers that were attached. state: what the status says, "live" or "stale"."""

    def __init__(
        self, ring: Ring, state: Callable[[], str], policy: FanoutPolicy, clock: Callable[[], float]
    ) -> None:
        self._ring = ring
        self._state = state
        self._policy = policy
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._waker, self._wakened = socket.socketpair()
        for end in (self._waker, self._wakened):
            end.setblocking(False)
        self._selector.register(self._wakened, READ)
        self._slices = SliceCache()
        self._arrivals: deque[Client] = deque()
        self._live: set[Client] = set()
        self._lagging: set[Client] = set()
        self._waiting: set[Client] = set()
        self._shared: Viewer | None = None  # the place in the ring that all live viewers have in common
        self._flushed_at = self._status_at = float("-inf")
        self._status = ""
        ring.on_change(self.wake)

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._arrivals) + len(self._live) + len(self._lagging) + len(self._waiting)

    def attach(self, sock: socket.socket, chunked: bool, viewer: Viewer, first: bytes) -> None:
        """Take over a connection and send `first`. May be called from any thread. Raises OSError."""
        client = Client(sock, chunked, viewer, self._clock)
        client.send(first)
        self._arrivals.append(client)
        self.wake()

    def wake(self) -> None:
        """End the thread's wait. May be called from any thread and from a signal handler."""
        try:
            self._waker.send(b"\0")
        except OSError:
            return  # full: the thread is awake already; closed: there is nobody left to wake

    def run(self, stopping: threading.Event) -> None:
        """Serve until `stopping` is set and `wake` is called; then end all streams."""
        while not stopping.is_set():
            self.step()
        self.end_all()

    def step(self) -> None:
        """Wait for something to do, and do a bounded part of it."""
        for key, mask in self._selector.select(self._select_timeout()):
            self._serve(key.data, mask)
        if self._shared is None or not self._live:
            self._shared = live(self._ring) if self._ring.is_open else None
        for _ in range(len(self._arrivals)):
            self._admit(self._arrivals.popleft())
        now = self._clock()
        if self._has_news() and now >= self._flushed_at + self._flush_window():
            self._flush()
            self._flushed_at = now
        self._review_waiting()
        self._send_status_if_due(now)
        for client in [c for c in self._lagging if now - c.progress_at > self._policy.stall_s]:
            self._cut(client)

    def _has_news(self) -> bool:
        return self._shared is not None and self._shared.number != self._ring.head

    def _flush_window(self) -> float:
        """Gather events for as long as one round of writes takes; the first event after a pause goes at once."""
        return min(self._policy.flush_window_s, len(self._live) * SEND_S)

    def _select_timeout(self) -> float:
        if self._has_news():
            return max(0.0, self._flushed_at + self._flush_window() - self._clock())
        return min(1.0, self._policy.heartbeat_s / 4, self._policy.stall_s / 4)

    def _serve(self, client: Client | None, mask: int) -> None:
        if client is None:
            self._wakened.recv(4096)
        elif mask & selectors.EVENT_READ and client.is_disconnected():
            self._drop(client)
        elif mask & selectors.EVENT_WRITE:
            self._catch_up(client)

    def _admit(self, client: Client) -> None:
        self._lagging.add(client)
        self._selector.register(client.sock, READ_WRITE, client)
        self._catch_up(client)

    def _flush(self) -> None:
        """Send one slice of what is new to all live viewers."""
        if self._shared and self._live:
            self._send_to_live(self._shared.take(self._ring, self._policy.live_slice_bytes(len(self._live))))

    def _send_to_live(self, data: bytes) -> None:
        if not data:
            return
        framed = chunk(data)
        for client in list(self._live):
            try:
                if not client.send_framed(framed if client.chunked else data):
                    self._become_lagging(client)
            except OSError:
                self._drop(client)

    def _become_lagging(self, client: Client) -> None:
        if client in self._live and self._shared:
            client.viewer = replace(self._shared)
        self._move(client, self._lagging, READ_WRITE)

    def _catch_up(self, client: Client) -> None:
        """Send one slice, so that nobody waits for a viewer that has much to catch up on."""
        try:
            if not client.send_rest() or self._shared is None:
                return
            if client.viewer.number < self._shared.number:
                size = self._policy.lagging_slice_bytes(len(self._lagging))
                data = client.viewer.take(self._ring, size, self._shared.number, self._slices.encode)
                if data and not client.send_framed(self._slices.chunked(data) if client.chunked else data):
                    return
            if client.viewer.number >= self._shared.number:
                self._settle(client)
        except OSError:
            self._drop(client)

    def _settle(self, client: Client) -> None:
        """Make a viewer live that has all that live viewers have, and no more."""
        if self._shared and client.viewer.number == self._shared.number and client.viewer.since is None:
            self._shared.joined_by(client.viewer)
            self._move(client, self._live, READ)
        else:
            self._move(client, self._waiting, READ)

    def _review_waiting(self) -> None:
        """Look again at those that were ahead: the shared place may have reached or passed theirs."""
        for client in list(self._waiting):
            viewer = client.viewer.refreshed(self._ring)
            if self._shared and viewer.number < self._shared.number:
                self._move(client, self._lagging, READ_WRITE)
            elif self._send_own(client, viewer.check_position(self._ring)):
                self._settle(client)

    def _send_own(self, client: Client, data: bytes) -> bool:
        """Send bytes to one viewer that has no unsent rest; return whether it took them all."""
        try:
            if not data or client.send(data):
                return True
            self._become_lagging(client)
        except OSError:
            self._drop(client)
        return False

    def _move(self, client: Client, group: set[Client], events: int) -> None:
        if client in group:
            return
        for other in (self._live, self._lagging, self._waiting):
            other.discard(client)
        group.add(client)
        client.progress_at = self._clock()
        self._selector.modify(client.sock, events, client)

    def _send_status_if_due(self, now: float) -> None:
        """Send the status, which is heartbeat and bookmark in one; at once when the state has changed.

        Not to viewers with an unsent rest, which are being sent events. A lagging one without may be silent: all
        that it passes in the ring is what it had from a faster replica."""
        state = self._state()
        if state == self._status and now < self._status_at + self._policy.heartbeat_s:
            return
        self._status, self._status_at = state, now
        if self._live and self._shared:
            self._send_to_live(sse.status(state, self._shared.refreshed(self._ring).position))
        for client in [*self._waiting, *self._lagging]:
            if not client.has_rest:
                self._send_own(client, sse.status(state, client.viewer.position))

    def _drop(self, client: Client) -> None:
        for group in (self._live, self._lagging, self._waiting):
            group.discard(client)
        self._selector.unregister(client.sock)
        client.sock.close()

    def _cut(self, client: Client) -> None:
        logger.info("Cut a viewer that has read nothing for %.0f s", self._policy.stall_s)
        client.reset_on_close()
        self._drop(client)

    def end_all(self) -> None:
        """End every stream in an orderly way."""
        for client in [*self._live, *self._waiting]:
            client.send_last_chunk()
        for client in [*self._live, *self._lagging, *self._waiting]:
            self._drop(client)
        while self._arrivals:
            self._arrivals.popleft().sock.close()

    def close(self) -> None:
        """Close the selector and the wake-up pipe. To be called after `run` has ended."""
        self._selector.close()
        self._waker.close()
        self._wakened.close()
