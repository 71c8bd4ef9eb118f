from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from producer.config import Settings


def settings(**values: Any) -> Settings:
    return Settings(database_url="postgresql://u:p@h:1/d", kafka_bootstrap_servers="k:9092", **values)


def test_database_url_in_libpq_form_uses_psycopg2() -> None:
    assert settings().sqlalchemy_url.drivername == "postgresql+psycopg2"


def test_publish_grace_is_longer_than_the_publish_timeout() -> None:
    assert settings().publish_grace == timedelta(seconds=6)
    assert settings(publish_timeout_s=9).publish_grace == timedelta(seconds=10)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_settings_are_frozen(name: str) -> None:
    frozen = settings()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(frozen, name, getattr(frozen, name))


def test_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_no_more_replicas_are_required_in_sync_than_there_are() -> None:
    settings(kafka_topic_replication_factor=1, kafka_topic_min_insync_replicas=1)
    with pytest.raises(ValidationError, match=r"KAFKA_TOPIC_MIN_INSYNC_REPLICAS \(2\) must not exceed"):
        settings(kafka_topic_replication_factor=1)
