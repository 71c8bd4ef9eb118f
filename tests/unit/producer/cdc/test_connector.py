from pathlib import Path
from typing import Any

import pytest

from producer.cdc.connector import connector_config, heartbeat_topic
from producer.config import Settings


def settings(**values: Any) -> Settings:
    url = "postgresql://connect@db.example:5433/shop?require_auth=scram-sha-256"
    return Settings(database_url=url, kafka_bootstrap_servers="k:9092", publisher="debezium", **values)


def test_connector_reads_the_database_of_the_settings_as_the_role_of_the_settings() -> None:
    config = connector_config(settings(cdc_slot="mine"))
    assert {name: value for name, value in config.items() if name.startswith("database.")} == {
        "database.hostname": "db.example",
        "database.port": "5433",
        "database.dbname": "shop",
        "database.user": "connect",
        "database.password": "${directory:/secrets/connect:password}",
    }
    assert config["slot.name"] == "mine"


def test_password_stays_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    config = connector_config(settings(connect_password_file=tmp_path / "password"))
    assert config["database.password"] == f"${{directory:{tmp_path}:password}}"
    assert "secret" not in "".join(config.values())


def test_events_go_to_the_topic_of_the_settings() -> None:
    config = connector_config(settings(kafka_topic="shop-orders"))
    assert config["transforms.outbox.route.topic.replacement"] == "shop-orders"
    assert heartbeat_topic(settings(kafka_topic="shop-orders")) == "__debezium-heartbeat.shop-orders"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("publication.autocreate.mode", "disabled"),  # the migrator's has the row filter
        ("snapshot.mode", "no_data"),
        ("exactly.once.support", "required"),
        ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("extended.headers.enabled", "false"),
        ("transforms.content.value.literal", "application/cloudevents+json"),
        ("producer.override.acks", "all"),
        ("poll.interval.ms", "10"),
        ("transforms.outbox.table.fields.additional.placement", "partition:partition"),
        ("transforms.outbox.table.fields.additional.error.on.missing", "false"),
    ],
)
def test_setting_on_which_the_guarantees_or_the_messages_rest(name: str, value: str) -> None:
    assert connector_config(settings())[name] == value


def test_all_values_are_text_as_connect_gives_them_back() -> None:
    """Otherwise the keeper would find a difference in every round."""
    assert {type(value) for value in connector_config(settings()).values()} == {str}
