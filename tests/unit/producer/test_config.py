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
