"""Every setting reaches the part that it is for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.pool import QueuePool

from producer import create_app
from producer.config import Settings
from producer.domain.backlog import BacklogLimit
from producer.publishing.breaker import BreakerPolicy
from producer.services import Services, create_services
from tests import librdkafka


def settings(**changes: Any) -> Settings:
    """Return settings of which none is the default."""
    values: dict[str, Any] = {
        "database_url": "postgresql://u:p@127.0.0.1:1/d",
        "database_pool_size": 3,
        "database_timeout_s": 0.7,
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "kafka_topic": "other",
        "kafka_topic_min_insync_replicas": 3,
        "publish_timeout_s": 2.5,
        "publish_grace_s": 4,
        "publish_queue": 77,
        "breaker_failures": 9,
        "breaker_open_s": 8,
        "outbox_max_rows": 55,
        "outbox_max_age_s": 66,
        "max_body_bytes": 4444,
    }
    return Settings(**values | changes)


@pytest.fixture
def services() -> Iterator[Services]:
    services = create_services(settings())
    yield services
    services.stop()


def test_backlog_is_bounded_as_the_settings_say(services: Services) -> None:
    assert services.backlog_limit == BacklogLimit(rows=55, age_s=66)


def test_breaker_has_its_policy_and_a_probe_outlives_a_publish(services: Services) -> None:
    assert services.publisher.breaker._policy == BreakerPolicy(failures=9, open_s=8, probe_s=3.5)


def test_publisher_has_its_topic_its_grace_and_its_client(services: Services) -> None:
    publisher = services.publisher
    assert (publisher._topic, publisher._grace) == ("other", timedelta(seconds=4))
    client = publisher._new_producer()
    wanted = {
        "bootstrap.servers": "127.0.0.1:1",
        "delivery.timeout.ms": "2500",
        "queue.buffering.max.messages": "77",
        "acks": "-1",
    }
    assert {name: librdkafka.setting(client, name) for name in wanted} == wanted


def test_relay_alone_publishes_when_the_settings_say_so() -> None:
    services = create_services(settings(publisher="relay"))
    assert services.publisher._grace is None
    services.stop()


def test_rows_are_left_to_debezium_when_the_settings_say_so() -> None:
    services = create_services(settings(publisher="debezium", capture_grace_s=7))
    with services.publisher.request_permit() as permit:
        assert (permit.grace, permit.breaker_permit) == (timedelta(seconds=7), None)
    services.stop()


def test_topic_health_knows_how_many_replicas_a_write_needs(services: Services) -> None:
    health = services.topic_health._compute
    assert (health._topic, health._min_insync) == ("other", 3)  # type: ignore[attr-defined]


def test_database_is_bounded_as_the_settings_say(services: Services) -> None:
    pool = services.database.engine.pool
    assert isinstance(pool, QueuePool)
    assert (pool.size(), pool._max_overflow, pool._timeout) == (3, 0, 0.7)
    intake = services.group_commit._engine.pool
    assert isinstance(intake, QueuePool)
    assert (intake.size(), intake._max_overflow) == (1, 0)
    assert services.group_commit._wait_s == 0.7


def test_body_is_bounded_as_the_settings_say() -> None:
    app = create_app(settings())
    assert app.config["MAX_CONTENT_LENGTH"] == 4444
    app.extensions["services"].stop()
