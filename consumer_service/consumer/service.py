"""What runs in the one worker process beside the web requests, put together in one place.

Made by `create_app` without touching anything; started and stopped by gunicorn.conf.py."""

import logging
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from threading import Event as Flag
from threading import Thread
from typing import Literal

from consumer.config import Settings
from consumer.events import Repeats
from consumer.fanout import Pace, SocketFanout
from consumer.generator import GeneratorFanout
from consumer.history import History
from consumer.kafka import TopicAdmin, TopicReader
from consumer.publisher import Publisher, Turnstile
from consumer.ring import Ring
from consumer.tail import Tail
from consumer.watch import Watch

logger = logging.getLogger(__name__)

State = Literal["starting", "live", "stale"]
JOIN_S = 2.0


class Service:
    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.ring = Ring(settings.ring_events, settings.ring_bytes)
        self.tail: Tail | None = None
        self.watch: Watch | None = None
        self.history: History | None = None
        self.publisher = Publisher(settings.kafka_bootstrap_servers, settings.kafka_topic)
        self.turnstile = Turnstile(settings.test_event_interval_s)
        self._clock = clock
        self._pace = Pace(
            window_s=settings.flush_window_s,
            heartbeat_s=settings.heartbeat_s,
            stall_s=settings.client_stall_s,
            buffer_bytes=settings.client_buffer_bytes,
        )
        self.generators = GeneratorFanout(self.ring, self.state, self._pace, clock)
        self.sockets: SocketFanout | None = None
        self._stopping = Flag()
        self._threads: list[Thread] = []

    def state(self) -> State:
        if self.tail is None or self.watch is None or not self.tail.caught_up.is_set():
            return "starting"
        return "live" if self.watch.is_fresh else "stale"

    @property
    def streams(self) -> int:
        return self.generators.count + (self.sockets.count if self.sockets else 0)

    def start(self) -> None:
        """After the fork: neither threads nor librdkafka's handles survive one."""
        settings = self.settings
        where = (settings.kafka_bootstrap_servers, settings.kafka_topic)
        admin = TopicAdmin(*where)
        self.watch = Watch(admin, settings.watch_interval_s, settings.stale_after_s, self._clock)
        open_reader = partial(TopicReader, *where)
        self.tail = Tail(
            self.ring, self.watch, admin, open_reader, Repeats(settings.orders_remembered),
            history=settings.ring_events, past_bytes=settings.ring_bytes,
            event_bytes=settings.event_bytes, clock=self._clock,
        )  # fmt: skip
        self.history = History(
            self.ring, admin, open_reader,
            timeout_s=settings.history_timeout_s, event_bytes=settings.event_bytes,
        )  # fmt: skip
        parts = [("watch", self.watch.run), ("tail", self.tail.run), ("generators", self.generators.run)]
        if settings.fanout == "sockets":
            self.sockets = SocketFanout(self.ring, self.state, self._pace, self._clock)
            parts.append(("fanout", self.sockets.run))
        self._threads = [
            Thread(target=self._live_or_die, args=part, name=part[0], daemon=True) for part in parts
        ]
        for thread in self._threads:
            thread.start()

    def _live_or_die(self, name: str, run: Callable[[Flag], None]) -> None:
        """A worker without one of its threads would look alive and show nothing: gunicorn starts a whole
        one."""
        try:
            run(self._stopping)
        finally:
            if not self._stopping.is_set():
                logger.critical("The %s thread ended by itself: this worker ends too", name)
                os.kill(os.getpid(), signal.SIGTERM)

    def stop(self) -> None:
        """Only raises flags: called from a signal handler."""
        self._stopping.set()
        if self.sockets:
            self.sockets.wake()

    def join(self) -> None:
        deadline = self._clock() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock()))
