"""The settings, read from the environment once, at the entrypoint."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

import sqlalchemy as sa
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# What the read-back may take after a delivery; a lease covers both.
READ_BACK_S = 1.0


class Settings(BaseSettings):
    """Each field, in capitals, is an environment variable; `.env.example` documents them all."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    database_url: str
    database_pool_size: int = Field(default=8, ge=1)
    database_timeout_s: float = Field(default=5, gt=0)

    kafka_bootstrap_servers: str
    kafka_topic: str = "orders"
    kafka_topic_partitions: int = Field(default=6, ge=1)
    kafka_topic_replication_factor: int = Field(default=3, ge=1)
    kafka_topic_min_insync_replicas: int = Field(default=2, ge=1)

    publisher: Literal["direct", "relay", "debezium"] = "direct"
    publish_timeout_s: float = Field(default=5, gt=0)
    publish_grace_s: float = Field(default=6, gt=0)
    capture_grace_s: float = Field(default=10, gt=0)
    publish_queue: int = Field(default=20_000, ge=1)
    breaker_failures: int = Field(default=5, ge=1)
    breaker_open_s: float = Field(default=5, gt=0)
    outbox_max_rows: int = Field(default=1_000_000, ge=1)
    outbox_max_age_s: float = Field(default=86_400, gt=0)

    relay_lease_s: float = Field(default=10, gt=0, le=60)
    relay_heartbeat_file: Path = Path(tempfile.gettempdir()) / "order-stream-relay.heartbeat"

    connect_url: str = ""
    connect_password_file: Path = Path("/secrets/connect/password")
    cdc_slot: str = Field(default="outbox", pattern=r"^[a-z0-9_]{1,63}$")
    connector_heartbeat_file: Path = Path(tempfile.gettempdir()) / "order-stream-connector.heartbeat"

    producer_url: str = "http://127.0.0.1:5001"
    consumer_url: str = "http://127.0.0.1:5002"
    trusted_hosts: str = "localhost,127.0.0.1,[::1]"
    max_body_bytes: int = Field(default=1 << 20, ge=1)

    @model_validator(mode="after")
    def _check_relations(self) -> Self:
        """Refuse settings that are right on their own and wrong together."""
        lease_s = self.publish_timeout_s + READ_BACK_S
        if self.relay_lease_s < lease_s:
            raise ValueError(
                f"RELAY_LEASE_S ({self.relay_lease_s:g}) must be at least PUBLISH_TIMEOUT_S + 1 ({lease_s:g}):"
                " a row whose lease ends while its event is on its way is sent twice"
            )
        if self.kafka_topic_min_insync_replicas > self.kafka_topic_replication_factor:
            raise ValueError(
                f"KAFKA_TOPIC_MIN_INSYNC_REPLICAS ({self.kafka_topic_min_insync_replicas}) must not exceed"
                f" KAFKA_TOPIC_REPLICATION_FACTOR ({self.kafka_topic_replication_factor}):"
                " the topic would take no event"
            )
        return self

    @property
    def sqlalchemy_url(self) -> sa.URL:
        """DATABASE_URL with our driver. The variable has libpq's form, so that `psql "$DATABASE_URL"` works."""
        return sa.make_url(self.database_url).set(drivername="postgresql+psycopg2")

    @property
    def publish_grace(self) -> timedelta:
        """How long a row is left to the direct publish; always longer than that publish may take."""
        return timedelta(seconds=max(self.publish_grace_s, self.publish_timeout_s + 1))

    @property
    def capture_grace(self) -> timedelta:
        """How long a row is left to Debezium, with PUBLISHER=debezium."""
        return timedelta(seconds=self.capture_grace_s)

    @property
    def trusted_host_list(self) -> list[str]:
        """TRUSTED_HOSTS as a list."""
        return [host.strip() for host in self.trusted_hosts.split(",") if host.strip()]
