"""From the ring to sockets: one thread writes to every viewer and never waits for one.

Live viewers have everything: they share one place in the ring and are sent the same bytes. One whose socket is
full becomes lagging: it keeps the unsent rest of one write and its own place in the ring, and catches up slice
by slice as it reads, up to the shared place and never beyond. It is told of a gap when the ring moves on without
it, and cut when it accepts nothing for a while. A waiting viewer has nothing to be sent although it is not live:
it is ahead of the shared place, or comes from a faster replica. One that is behind the ring is sent what the ring
no longer has from Kafka, slice by slice like a lagging one, and is away from the others while that is being read.

Each step is bounded, whatever comes in meanwhile: one slice to the live viewers, one to each lagging viewer whose
socket takes it, and then everything else gets its turn."""

import logging
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from consumer.fanout import sse
from consumer.fanout.client import Client, chunk
from consumer.fanout.filter import EVERYTHING
from consumer.fanout.live_clients import LiveClients
from consumer.fanout.policy import FanoutPolicy
from consumer.fanout.replaying import Replay, next_blocks
from consumer.fanout.slice_cache import SliceCache
from consumer.fanout.stats_viewers import StatsViewers
from consumer.fanout.viewer import Viewer, encode_slice, live
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.stats import LatestStats
from consumer.ring.types import Slice
from consumer.ring.view import RingView

logger = logging.getLogger(__name__)

SEND_S = 20e-6
ASK_S = 1.0  # how often a viewer asks for past events at least, so that it keeps its place in the line
ASKING_S = 50e-6  # how much time there is for one viewer's question, so that those of thousands delay nobody
READ, READ_WRITE = selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE


class SocketFanout:
    """Owns the sockets of all viewers that were attached. state: what the status says, "live" or "stale"."""

    def __init__(
        self, ring: Ring, replay: Replay, state: Callable[[], str], policy: FanoutPolicy,
        clock: Callable[[], float], stats: LatestStats | None = None,
    ) -> None:  # fmt: skip
        self._ring = ring
        self._replay = replay
        self._state = state
        self._policy = policy
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._waker, self._wakened = socket.socketpair()
        for end in (self._waker, self._wakened):
            end.setblocking(False)
        self._selector.register(self._wakened, READ)
        self._slices = SliceCache()
        self._arrivals: deque[tuple[Client, bool]] = deque()
        self._live = LiveClients()
        self._lagging: set[Client] = set()
        self._waiting: set[Client] = set()
        stats = stats or LatestStats(clock)
        self._stats = StatsViewers(stats)
        self._away: set[Client] = set()  # behind the ring, and what comes next is being read from Kafka
        self._asked_at, self._asked_number = float("-inf"), -1
        self._view: RingView | None = None  # of this step
        self._shared: Viewer | None = None  # the place in the ring that all live viewers have in common
        self._flushed_at = self._status_at = float("-inf")
        self._status = ""
        ring.on_change(self.wake)
        replay.on_change(self.wake)
        stats.on_change(self.wake)

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._arrivals) + sum(len(group) for group in self._groups)

    def attach(
        self, sock: socket.socket, chunked: bool, viewer: Viewer, first: bytes, wants_stats: bool = False
    ) -> None:
        """Take over a connection and send `first`. May be called from any thread. Raises OSError."""
        client = Client(sock, chunked, viewer, self._clock)
        client.send(first)
        self._arrivals.append((client, wants_stats))
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
        self._view = None
        for key, mask in self._selector.select(self._select_timeout()):
            self._serve(key.data, mask)
        if self._shared is None or not self._live:
            self._shared = live(self._ring) if self._ring.is_open else None
        for _ in range(len(self._arrivals)):
            self._admit(*self._arrivals.popleft())
        now = self._clock()
        if self._has_news() and now >= self._flushed_at + self._flush_window():
            self._flush()
            self._flushed_at = now
        self._review_waiting()
        self._review_away(now)
        self._send_status_if_due(now)
        self._send_stats()
        for client in [c for c in self._lagging if now - c.progress_at > self._policy.stall_s]:
            self._cut(client)

    def _has_news(self) -> bool:
        return self._shared is not None and self._shared.number != self._ring.head

    def _flush_window(self) -> float:
        """Gather events for as long as one round of writes takes; the first event after a pause goes at once."""
        return min(self._policy.flush_window_s, len(self._live) * SEND_S)

    def _select_timeout(self) -> float:
        due = [self._clock() + min(1.0, self._policy.heartbeat_s / 4, self._policy.stall_s / 4)]
        if self._has_news():
            due.append(self._flushed_at + self._flush_window())
        if self._away and self._replay.number != self._asked_number:
            due.append(self._may_ask_at())
        return max(0.0, min(due) - self._clock())

    def _serve(self, client: Client | None, mask: int) -> None:
        if client is None:
            self._wakened.recv(4096)
        elif mask & selectors.EVENT_READ and client.is_disconnected():
            self._drop(client)
        elif mask & selectors.EVENT_WRITE:
            self._catch_up(client)

    def _admit(self, client: Client, wants_stats: bool) -> None:
        self._lagging.add(client)
        if wants_stats:
            self._stats.add(client)
        self._selector.register(client.sock, READ_WRITE, client)
        self._catch_up(client)

    def _flush(self) -> None:
        """Send one slice of what is new to all live viewers."""
        if not self._shared or not self._live:
            return
        pieces: list[Slice] = []

        def encode(piece: Slice, since: Position | None) -> bytes:
            pieces.append(piece)
            return encode_slice(piece, since)

        data = self._shared.take(self._ring, self._policy.live_slice_bytes(len(self._live)), encode=encode)
        self._send_to_all(self._live.unfiltered, data)
        if not pieces or any(batch.gap for batch in pieces[0].batches):
            self._send_filtered_one_by_one(data, pieces)
            return
        for clients, payloads in self._live.wanting(
            event for batch in pieces[0].batches for event in batch.events
        ):
            self._send_to_all(clients, sse.events(payloads, pieces[0].position))

    def _send_filtered_one_by_one(self, data: bytes, pieces: Sequence[Slice]) -> None:
        """Send a gap, which everyone is told, whatever they want."""
        for client in self._live.filtered():
            wanted = encode_slice(pieces[0], None, client.viewer.filter) if pieces else data
            self._send_to_all([client], wanted)

    def _send_to_all(self, clients: Iterable[Client], data: bytes) -> None:
        if not data:
            return
        framed = chunk(data)
        for client in list(clients):
            try:
                if not client.send_framed(framed if client.chunked else data):
                    self._become_lagging(client)
            except OSError:
                self._drop(client)

    def _become_lagging(self, client: Client) -> None:
        if client in self._live and self._shared:
            client.viewer = replace(self._shared, filter=client.viewer.filter)
        self._move(client, self._lagging, READ_WRITE)

    def _catch_up(self, client: Client) -> None:
        """Send one slice, so that nobody waits for a viewer that has much to catch up on."""
        try:
            if not client.send_rest() or self._shared is None:
                return
            size = self._policy.lagging_slice_bytes(len(self._lagging))
            if client.viewer.is_behind:
                self._send_past(client, size)
                return
            if client.viewer.number < self._shared.number:
                encode = self._slices.encode if client.viewer.filter == EVERYTHING else None
                data = client.viewer.take(self._ring, size, self._shared.number, encode)
                if data and not client.send_framed(self._slices.chunked(data) if client.chunked else data):
                    return
            if client.viewer.number >= self._shared.number and not client.viewer.is_behind:
                self._settle(client)
        except OSError:
            self._drop(client)

    def _send_past(self, client: Client, size: int) -> None:
        """Send one slice of what the ring no longer has, or wait until it has been read. Raises OSError."""
        if self._view is None:
            self._view = self._ring.view()
        data = next_blocks(client.viewer, self._view, self._replay, self._state(), size)
        if data is None:
            self._move(client, self._away, READ)
            return
        self._move(client, self._lagging, READ_WRITE)
        if data:
            client.send(data)

    def _may_ask_at(self) -> float:
        return self._asked_at + len(self._away) * ASKING_S

    def _review_away(self, now: float) -> None:
        """Let those ask again that wait for Kafka: when something was read, and to keep their places in the line."""
        number = self._replay.number
        if now < (self._may_ask_at() if number != self._asked_number else self._asked_at + ASK_S):
            return
        self._asked_number, self._asked_at = number, now
        for client in list(self._away):
            self._catch_up(client)

    def _settle(self, client: Client) -> None:
        """Make a viewer live that has all that live viewers have, and no more."""
        if self._shared and client.viewer.number == self._shared.number and client.viewer.since is None:
            self._shared.joined_by(client.viewer)
            self._move(client, self._live, READ)
            if client.viewer.replaying is not None:
                client.viewer.replaying = None
                self._send_own(
                    client, sse.status(self._state(), client.viewer.position)
                )  # it is live from here on
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

    def _move(self, client: Client, group: set[Client] | LiveClients, events: int) -> None:
        if client in group:
            return
        for other in self._groups:
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
            self._send_to_all(self._live, sse.status(state, self._shared.refreshed(self._ring).position))
        for client in [*self._waiting, *self._lagging, *self._away]:
            if not client.has_rest:
                self._send_own(client, client.viewer.status(state))

    def _send_stats(self) -> None:
        """Send the newest figures to those who asked for them and have room: between two blocks, never within one."""
        data, clients = self._stats.take()
        self._send_to_all(clients, data)

    @property
    def _groups(self) -> tuple[set[Client] | LiveClients, ...]:
        return self._live, self._lagging, self._waiting, self._away

    def _drop(self, client: Client) -> None:
        for group in (*self._groups, self._stats):
            group.discard(client)
        self._selector.unregister(client.sock)
        client.sock.close()

    def _cut(self, client: Client) -> None:
        logger.info("Cut a viewer that has read nothing for %.0f s", self._policy.stall_s)
        client.reset_on_close()
        self._drop(client)

    def end_all(self) -> None:
        """End every stream in an orderly way."""
        for client in [*self._live, *self._waiting, *self._away]:
            client.send_last_chunk()
        for client in [client for group in self._groups for client in group]:
            self._drop(client)
        while self._arrivals:
            self._arrivals.popleft()[0].sock.close()

    def close(self) -> None:
        """Close the selector and the wake-up pipe. To be called after `run` has ended."""
        self._selector.close()
        self._waker.close()
        self._wakened.close()
