"""What the worker process consists of, created in one place: views find it by `current_services()`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from flask import current_app

from consumer.background import Background, Run
from consumer.config import Settings
from consumer.fanout.policy import FanoutPolicy
from consumer.fanout.sockets import SocketFanout
from consumer.fanout.threads import GeneratorFanout
from consumer.rate_limit import RateLimiter
from consumer.ring.ring import Ring
from consumer.ring.stats import LatestStats
from consumer.topic.deduplicator import Deduplicator
from consumer.topic.freshness import FreshnessMonitor
from consumer.topic.history import History
from consumer.topic.kafka import TopicAdmin, TopicReader
from consumer.topic.publish_test_event import TestEventPublisher
from consumer.topic.replay import READERS, Replay
from consumer.topic.stats_tail import StatsTail
from consumer.topic.tail import Tail

EXTENSION = "services"

State = Literal["starting", "live", "stale"]


@dataclass(frozen=True)
class Services:
    """Everything that requests use, and what runs beside them; gunicorn.conf.py starts and stops it.

    state: whether the topic has been read once, and whether we are up to date with it.
    """

    settings: Settings
    state: Callable[[], State]
    ring: Ring
    monitor: FreshnessMonitor
    tail: Tail
    history: History
    replay: Replay
    stats: LatestStats
    stats_tail: StatsTail
    test_events: TestEventPublisher
    test_event_limiter: RateLimiter
    generators: GeneratorFanout
    sockets: SocketFanout | None
    background: Background

    @property
    def open_streams(self) -> int:
        """How many streams are open."""
        return self.generators.count + (self.sockets.count if self.sockets else 0)

    def start(self) -> None:
        """Start the threads and Kafka's clients. To be called after the fork, which they would not survive."""
        self.background.start()

    def stop(self) -> None:
        """Ask everything to end. It only sets flags, so a signal handler may call it."""
        self.background.stop()
        if self.sockets:
            self.sockets.wake()

    def join(self) -> None:
        """Wait, within a bound, until the threads have ended."""
        self.background.join()

    def close(self) -> None:
        """Close the files that were opened. To be called after `join`, or instead of `start`."""
        if self.sockets:
            self.sockets.close()


def create_services(settings: Settings, clock: Callable[[], float] = time.monotonic) -> Services:
    """Create everything without connecting to Kafka or starting a thread."""
    topic = (settings.kafka_bootstrap_servers, settings.kafka_topic)
    ring, admin, open_reader = (
        Ring(settings.ring_events, settings.ring_bytes),
        TopicAdmin(*topic),
        partial(TopicReader, *topic),
    )
    monitor = FreshnessMonitor(admin, settings.watch_interval_s, settings.stale_after_s, clock)
    tail = Tail(
        ring, monitor, admin, open_reader, Deduplicator(settings.orders_remembered),
        history=settings.ring_events, backfill_bytes=settings.ring_bytes,
        event_bytes=settings.event_bytes, clock=clock,
    )  # fmt: skip
    history = History(
        ring, admin, open_reader,
        timeout_s=settings.history_timeout_s, event_bytes=settings.event_bytes, clock=clock,
    )  # fmt: skip
    replay = Replay(
        admin, open_reader,
        orders_remembered=settings.orders_remembered, event_bytes=settings.event_bytes,
        kept_bytes=settings.replay_bytes, clock=clock,
    )  # fmt: skip
    stats = LatestStats(clock)
    stats_topic = (settings.kafka_bootstrap_servers, settings.kafka_stats_topic)
    stats_tail = StatsTail(stats, TopicAdmin(*stats_topic), partial(TopicReader, *stats_topic), clock)
    policy = FanoutPolicy(
        flush_window_s=settings.flush_window_s,
        heartbeat_s=settings.heartbeat_s,
        stall_s=settings.client_stall_s,
        buffer_bytes=settings.client_buffer_bytes,
    )
    state = partial(_state, tail, monitor)
    fanout = (ring, replay, state, policy, clock, stats)
    generators = GeneratorFanout(*fanout)
    sockets = SocketFanout(*fanout) if settings.fanout == "sockets" else None
    runs: dict[str, Run] = {"freshness": monitor.run, "tail": tail.run, "generators": generators.run}
    runs |= {f"replay {n + 1}": replay.run for n in range(READERS)}
    if sockets:
        runs["fanout"] = sockets.run
    if settings.kafka_stats_topic:
        runs["stats"] = stats_tail.run
    return Services(
        settings=settings,
        state=state,
        ring=ring,
        monitor=monitor,
        tail=tail,
        history=history,
        replay=replay,
        stats=stats,
        stats_tail=stats_tail,
        test_events=TestEventPublisher(*topic),
        test_event_limiter=RateLimiter(settings.test_event_interval_s, clock),
        generators=generators,
        sockets=sockets,
        background=Background(runs),
    )


def current_services() -> Services:
    """Return the services of the application that handles the current request."""
    services: Services = current_app.extensions[EXTENSION]
    return services


def _state(tail: Tail, monitor: FreshnessMonitor) -> State:
    if not tail.caught_up.is_set():
        return "starting"
    return "live" if monitor.is_fresh else "stale"
