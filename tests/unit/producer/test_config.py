from datetime import timedelta

import pytest
from pydantic import ValidationError

from producer.config import Settings


def settings(**values: object) -> Settings:
    return Settings(database_url="postgresql://u:p@h:1/d", kafka_bootstrap_servers="k:9092", **values)  # type: ignore[arg-type]


def test_the_database_is_reached_by_psycopg2_whatever_form_the_url_has() -> None:
    assert settings().sqlalchemy_url.drivername == "postgresql+psycopg2"


def test_the_grace_is_longer_than_a_publish_may_take() -> None:
    assert settings().publish_grace == timedelta(seconds=6)
    assert settings(publish_timeout_s=9).publish_grace == timedelta(seconds=10)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        settings().kafka_topic = "other"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(ValidationError, match="database_url"):
        Settings(kafka_bootstrap_servers="k:9092")


def test_lease_that_ends_while_the_event_is_on_its_way_is_refused() -> None:
    settings(relay_lease_s=6, publish_timeout_s=5)
    with pytest.raises(
        ValidationError, match=r"RELAY_LEASE_S \(5\.5\) must be at least PUBLISH_TIMEOUT_S \+ 1 \(6\)"
    ):
        settings(relay_lease_s=5.5, publish_timeout_s=5)


def test_lease_is_not_longer_than_the_longest() -> None:
    with pytest.raises(ValidationError, match="relay_lease_s"):
        settings(relay_lease_s=61)


def test_queue_holds_what_the_relay_claims_at_once() -> None:
    settings(publish_queue=1000)
    with pytest.raises(ValidationError, match=r"PUBLISH_QUEUE \(999\) must be at least 1000"):
        settings(publish_queue=999)


def test_no_more_replicas_are_required_in_sync_than_there_are() -> None:
    settings(kafka_topic_replication_factor=1, kafka_topic_min_insync_replicas=1)
    with pytest.raises(ValidationError, match=r"KAFKA_TOPIC_MIN_INSYNC_REPLICAS \(2\) must not exceed"):
        settings(kafka_topic_replication_factor=1)
