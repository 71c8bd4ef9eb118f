"""What the web process consists of, created in one place: views find it by `current_services()`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from confluent_kafka import Producer
from flask import current_app

from producer.backlog_monitor import BacklogMonitor
from producer.cached import Cached
from producer.config import Settings
from producer.domain.backlog import Backlog, BacklogLimit, measure_backlog
from producer.domain.database import Database, create_engine
from producer.domain.group_commit import GroupCommit, create_intake_engine
from producer.domain.shortage import Shortage
from producer.publishing.breaker import Breaker, BreakerPolicy
from producer.publishing.kafka import producer_settings
from producer.publishing.notify import Notifier
from producer.publishing.publisher import Publisher
from producer.publishing.topic_health import TopicHealth

EXTENSION = "services"
TOPIC_HEALTH_KEPT_S = 2.0
# How long /health/ready waits for each answer; whoever asks for our health waits about 2 s.
DATABASE_HEALTH_S = 1.0
OUTBOX_HEALTH_S = 0.3
TOPIC_HEALTH_S = 1.1
STOP_S = 2.0


@dataclass(frozen=True)
class Services:
    """Everything that requests use, and what runs beside them; gunicorn.conf.py starts and stops it."""

    settings: Settings
    database: Database
    group_commit: GroupCommit
    notifier: Notifier
    publisher: Publisher
    topic_health: Cached[dict[str, str]]
    database_health: Cached[None]
    outbox_health: Cached[Backlog]
    backlog: Callable[[], Backlog | None]
    backlog_monitor: BacklogMonitor
    backlog_limit: BacklogLimit

    def start(self) -> None:
        """Start the threads and Kafka's client. To be called after the fork, which they would not survive."""
        self.notifier.start()
        self.publisher.start()
        self.backlog_monitor.start()

    def stop(self) -> None:
        """Stop within a bounded time; the outbox has what was not delivered by then."""
        self.publisher.close()
        self.notifier.close(STOP_S)
        self.backlog_monitor.close(STOP_S)
        self.database.engine.dispose()
        self.group_commit.close()

    def measure_backlog(self) -> Backlog:
        """Count what waits in the outbox now. Raises SQLAlchemyError when the database does not answer."""
        return measure_backlog(self.database.engine)


def create_services(settings: Settings) -> Services:
    """Create everything without connecting anywhere: the database at its first use, Kafka after the fork."""
    url, timeout_s = settings.sqlalchemy_url, settings.database_timeout_s
    database = Database(url, settings.database_pool_size, timeout_s)
    intake, shortage = create_intake_engine(url, timeout_s), Shortage()
    shortage.watch(database.engine)
    shortage.watch(intake)
    shortage.ends_with(intake)

    def require_database() -> None:
        database.require_writable()
        shortage.require_none()

    notifier = Notifier(create_engine(url, 1, timeout_s, isolation_level="AUTOCOMMIT"))
    publisher = _create_publisher(settings, notifier)
    limit = BacklogLimit(settings.outbox_max_rows, settings.outbox_max_age_s)
    measure = partial(measure_backlog, database.engine)
    monitor = BacklogMonitor(measure)
    health = TopicHealth(publisher, settings.kafka_topic, settings.kafka_topic_min_insync_replicas)
    return Services(
        settings=settings,
        database=database,
        group_commit=GroupCommit(intake, timeout_s),
        notifier=notifier,
        publisher=publisher,
        topic_health=Cached(health, TOPIC_HEALTH_KEPT_S, wait_s=TOPIC_HEALTH_S),
        database_health=Cached(require_database, 0, wait_s=DATABASE_HEALTH_S),
        outbox_health=Cached(measure, 0, wait_s=OUTBOX_HEALTH_S),
        backlog=monitor,
        backlog_monitor=monitor,
        backlog_limit=limit,
    )


def current_services() -> Services:
    """Return the services of the application that handles the current request."""
    services: Services = current_app.extensions[EXTENSION]
    return services


def _create_publisher(settings: Settings, notifier: Notifier) -> Publisher:
    """Return what publishes directly, with PUBLISHER=direct only.

    With `relay` every row is the relay's at once; with `debezium` a row is left to the connector for a while.
    """
    policy = BreakerPolicy(settings.breaker_failures, settings.breaker_open_s, settings.publish_timeout_s + 1)
    return Publisher(
        lambda: Producer(producer_settings(settings)),
        settings.kafka_topic,
        settings.publish_grace if settings.publisher == "direct" else None,
        Breaker(policy),
        notifier.notify,
        captured=settings.capture_grace if settings.publisher == "debezium" else None,
    )
