"""The settings, read from the environment once, at the entrypoint."""

import socket
from typing import Self

import sqlalchemy as sa
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field, in capitals, is an environment variable; `.env.example` documents them all."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    database_url: str
    database_timeout_s: float = Field(5.0, gt=0)

    kafka_bootstrap_servers: str
    kafka_topic: str = "orders"
    # What the orders add up to, for the dashboards: one message, again and again.
    kafka_stats_topic: str = Field("order-stats", min_length=1)
    kafka_topic_replication_factor: int = Field(3, ge=1)
    kafka_topic_min_insync_replicas: int = Field(2, ge=1)

    projector_group: str = "projector"
    # One per instance, and the same after its restart.
    projector_instance_id: str = Field(default_factory=socket.gethostname, min_length=1)
    # How long a dead instance keeps its partitions; one that is back sooner goes on with them.
    projector_session_timeout_s: float = Field(10.0, ge=6, le=300)
    projector_batch: int = Field(1000, ge=1, le=10_000)
    projector_stale_after_s: float = Field(15.0, gt=0)

    trusted_hosts: str = "localhost,127.0.0.1,[::1]"

    @model_validator(mode="after")
    def _keep_figures_apart(self) -> Self:
        """Refuse to publish figures among the events: each would be parked as a message that cannot be read."""
        if self.kafka_stats_topic in (self.kafka_topic, self.dead_letter_topic):
            raise ValueError("KAFKA_STATS_TOPIC must be a topic of its own")
        return self

    @property
    def dead_letter_topic(self) -> str:
        """The topic of what could not be read or applied."""
        return f"{self.kafka_topic}.dlq"

    @property
    def sqlalchemy_url(self) -> sa.URL:
        """DATABASE_URL with our driver. The variable has libpq's form, so that `psql "$DATABASE_URL"` works."""
        return sa.make_url(self.database_url).set(drivername="postgresql+psycopg2")

    @property
    def trusted_host_list(self) -> list[str]:
        """TRUSTED_HOSTS as a list."""
        return [host.strip() for host in self.trusted_hosts.split(",") if host.strip()]
