"""The producer: takes orders, keeps them in PostgreSQL, publishes each change to Kafka."""

from confluent_kafka import Producer
from flask import Flask

from producer import browsers, errors, pages
from producer.api_document import api_document
from producer.config import Settings
from producer.health import Cached, KafkaCheck, health
from producer.kafka import producer_settings
from producer.orders import orders
from producer.publisher import Publisher
from producer.record import Database

KAFKA_CHECK_KEPT_S = 2.0


def create_app(settings: Settings | None = None) -> Flask:
    """The web application. It connects to the database at the first request, to Kafka after the fork."""
    settings = settings or Settings()
    app = Flask(__name__)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        TRUSTED_HOSTS=settings.trusted_host_list,
        CONSUMER_URL=settings.consumer_url,
    )
    # Names are in every script: as themselves in the answers, not as escapes; fields in our order.
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # the default provider has it
    app.json.sort_keys = False  # type: ignore[attr-defined]
    publisher = _publisher(settings)
    app.extensions["database"] = Database(
        settings.sqlalchemy_url, settings.database_pool_size, settings.database_timeout_s
    )
    app.extensions["publisher"] = publisher
    app.extensions["kafka_check"] = Cached(
        KafkaCheck(publisher, settings.kafka_topic, settings.kafka_topic_min_insync_replicas),
        KAFKA_CHECK_KEPT_S,
    )
    errors.init_app(app)
    browsers.init_app(app)
    for blueprint in (pages.pages, api_document, orders, health):
        app.register_blueprint(blueprint)
    return app


def _publisher(settings: Settings) -> Publisher:
    """PUBLISHER=relay: no grace, so every row is the relay's at once and nothing is published here."""
    return Publisher(
        lambda: Producer(producer_settings(settings)),
        settings.kafka_topic,
        settings.publish_grace if settings.publisher == "direct" else None,
    )
