"""The producer: takes orders, keeps them in PostgreSQL, publishes each change to Kafka."""

from dataclasses import dataclass
from functools import partial

from confluent_kafka import Producer
from flask import Flask

from producer import browsers, errors, pages
from producer.api_document import api_document
from producer.backlog import Bound, measure
from producer.breaker import Breaker, Policy
from producer.config import Settings
from producer.health import Cached, KafkaCheck, health
from producer.kafka import producer_settings
from producer.notify import Notifier
from producer.orders import orders
from producer.publisher import Publisher
from producer.record import Database, connect

KAFKA_CHECK_KEPT_S = 2.0
BACKLOG_KEPT_S = 1.0
STOP_S = 2.0


def create_app(settings: Settings | None = None) -> Flask:
    """The web application. It connects to the database at the first request, to Kafka after the fork."""
    settings = settings or Settings()
    app = Flask(__name__)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        CONSUMER_URL=settings.consumer_url,
    )
    # Names are in every script: as themselves in the answers, not as escapes; fields in our order.
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # the default provider has it
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _connect_parts(app, settings)
    errors.init_app(app)
    browsers.init_app(app, settings.trusted_host_list)
    for blueprint in (pages.pages, api_document, orders, health):
        app.register_blueprint(blueprint)
    return app


@dataclass(frozen=True)
class Background:
    """What runs beside the requests; gunicorn.conf.py starts and stops it."""

    database: Database
    notifier: Notifier
    publisher: Publisher

    def start(self) -> None:
        """After the fork: threads and Kafka's client do not survive one."""
        self.notifier.start()
        self.publisher.start()

    def stop(self) -> None:
        """Bounded: what was not delivered in time is in the outbox."""
        self.publisher.close()
        self.notifier.close(STOP_S)
        self.database.engine.dispose()


def _connect_parts(app: Flask, settings: Settings) -> None:
    database = Database(settings.sqlalchemy_url, settings.database_pool_size, settings.database_timeout_s)
    notifier = Notifier(
        connect(settings.sqlalchemy_url, 1, settings.database_timeout_s, isolation_level="AUTOCOMMIT")
    )
    publisher = _publisher(settings, notifier)
    bound = Bound(settings.outbox_max_rows, settings.outbox_max_age_s)
    check = KafkaCheck(publisher, settings.kafka_topic, settings.kafka_topic_min_insync_replicas)
    backlog = partial(measure, database.engine, bound)
    app.extensions.update(
        database=database,
        background=Background(database, notifier, publisher),
        publisher=publisher,
        kafka_check=Cached(check, KAFKA_CHECK_KEPT_S),
        measure_backlog=backlog,
        backlog=Cached(backlog, BACKLOG_KEPT_S),
        outbox_bound=bound,
    )


def _publisher(settings: Settings, notifier: Notifier) -> Publisher:
    """PUBLISHER=relay: no grace, so every row is the relay's at once and nothing is published here."""
    policy = Policy(settings.breaker_failures, settings.breaker_open_s, settings.publish_timeout_s + 1)
    return Publisher(
        lambda: Producer(producer_settings(settings)),
        settings.kafka_topic,
        settings.publish_grace if settings.publisher == "direct" else None,
        Breaker(policy),
        notifier.notify,
    )
