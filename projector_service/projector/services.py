"""What the worker process consists of, created in one place: views find it by `current_services()`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from flask import current_app

from projector.background import Background
from projector.backoff import Backoff, BackoffPolicy
from projector.config import Settings
from projector.dead_letters.publisher import DeadLetterPublisher, KafkaLetterbox
from projector.readmodel.batch import Batch
from projector.readmodel.placement import Log, Position
from projector.stats.publisher import StatsPublisher
from projector.stats.topic import StatsTopic
from projector.store.apply import Applied, apply
from projector.store.database import create_engine
from projector.store.positions import find_places
from projector.store.queries import Queries
from projector.topic.kafka import GroupAdmin, GroupMember, TopicAdmin, member_settings
from projector.topic.loop import Loop
from projector.topic.membership import Membership
from projector.topic.watch import Watch

EXTENSION = "services"
# Of connections: for requests, for health checks, and for the four threads that use some. No number of slow requests
# keeps the others waiting.
REQUESTS_POOL, HEALTH_POOL, THREADS_POOL = 4, 1, 4
# gunicorn has more threads than the first two: while PostgreSQL hangs, those that are left answer /health/live.
REQUESTS_WAIT_S = 1.0
WATCH_S = 2.0
MEMBERSHIP_S = 5.0
# In session timeouts: a member whose session has timed out learns of it with its next heartbeat.
MEMBERSHIP_PATIENCE = 3
# Whoever reads it publishes the figures.
PUBLISHING_PARTITION = 0


class PostgresStore:
    """The read models, as the loop writes them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def find_places(
        self, topic_id: str, logs: Mapping[int, Log]
    ) -> dict[int, tuple[Position | None, Position]]:
        """Store and return from where each partition is to be read. Raises DatabaseUnavailable."""
        return find_places(self._engine, topic_id, logs)

    def apply(self, batch: Batch) -> Applied:
        """Apply a batch. Raises DatabaseUnavailable, Refused."""
        return apply(self._engine, batch)


@dataclass(frozen=True)
class Services:
    """Everything that requests use, and what runs beside them; gunicorn.conf.py starts and stops it.

    engine: of the threads. others: of requests and of health checks.
    """

    settings: Settings
    engine: sa.Engine
    others: tuple[sa.Engine, ...]
    queries: Queries
    health: Queries
    loop: Loop
    watch: Watch
    dead_letters: DeadLetterPublisher
    stats: StatsPublisher
    background: Background

    def start(self) -> None:
        """Start the threads and Kafka's clients. To be called after the fork, which they would not survive."""
        self.background.start()

    def stop(self) -> None:
        """Ask everything to end. It only sets flags, so a signal handler may call it."""
        self.background.stop()
        self.dead_letters.wake()

    def join(self) -> None:
        """Wait, within a bound, until the threads have ended."""
        self.background.join()
        for engine in (self.engine, *self.others):
            engine.dispose()


def create_services(settings: Settings, clock: Callable[[], float] = time.monotonic) -> Services:
    """Create everything without connecting anywhere or starting a thread."""
    servers, topic = settings.kafka_bootstrap_servers, settings.kafka_topic
    url, timeout_s = settings.sqlalchemy_url, settings.database_timeout_s
    engine = create_engine(url, THREADS_POOL, timeout_s)
    readers = create_engine(url, REQUESTS_POOL, timeout_s, REQUESTS_WAIT_S)
    checks = create_engine(url, HEALTH_POOL, timeout_s, REQUESTS_WAIT_S)
    ask = partial(TopicAdmin, servers, topic)
    watch = Watch(ask, Queries(engine).positions, clock, WATCH_S)
    replication = (settings.kafka_topic_replication_factor, settings.kafka_topic_min_insync_replicas)
    letterbox = KafkaLetterbox(servers, topic, settings.dead_letter_topic, *replication)
    dead_letters = DeadLetterPublisher(engine, letterbox)
    group, instance = settings.projector_group, settings.projector_instance_id
    session_timeout_s = settings.projector_session_timeout_s
    membership = Membership(
        ask=partial(GroupAdmin, servers, group, instance, topic),
        ours=lambda: loop.assigned,
        clock=clock,
        every_s=MEMBERSHIP_S,
        patience_s=MEMBERSHIP_PATIENCE * session_timeout_s,
    )
    member = member_settings(servers, group, instance, session_timeout_s)
    loop = Loop(
        store=PostgresStore(engine),
        join=partial(GroupMember, member, topic, settings.projector_batch),
        ask=ask,
        new_backoff=lambda: Backoff(BackoffPolicy()),
        clock=clock,
        topic_id_since=watch.topic_id_since,
        client_problem_since=membership.problem_since,
        on_parked=dead_letters.wake,
    )
    stats = StatsPublisher(
        Queries(engine), StatsTopic(servers, settings.kafka_stats_topic, *replication),
        is_ours=lambda: PUBLISHING_PARTITION in loop.partitions,
        backoff=Backoff(BackoffPolicy()), clock=clock,
    )  # fmt: skip
    runs = {
        "projector": loop.run,
        "watch": watch.run,
        "membership": membership.run,
        "dead letters": dead_letters.run,
        "stats": stats.run,
    }
    return Services(
        settings=settings,
        engine=engine,
        others=(readers, checks),
        queries=Queries(readers),
        health=Queries(checks),
        loop=loop,
        watch=watch,
        dead_letters=dead_letters,
        stats=stats,
        background=Background(runs),
    )


def current_services() -> Services:
    """Return the services of the application that handles the current request."""
    services: Services = current_app.extensions[EXTENSION]
    return services
