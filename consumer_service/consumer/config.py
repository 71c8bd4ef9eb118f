"""The settings, read from the environment once, at the entrypoint."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

GENERATOR_STREAMS = 100
"""The most streams of the fallback: each holds a worker thread, so gunicorn.conf.py starts that many more."""


class Settings(BaseSettings):
    """Each field, in capitals, is an environment variable; `.env.example` documents them all."""

    model_config = SettingsConfigDict(frozen=True)

    kafka_bootstrap_servers: str
    kafka_topic: str = "orders"
    kafka_stats_topic: str = "order-stats"  # without one there are no figures

    producer_url: str = "http://127.0.0.1:5001"
    kafka_ui_url: str = ""
    trusted_hosts: str = "localhost,127.0.0.1,[::1]"

    # The ring's size is also how much is read back at start. Viewers that begin earlier are sent the rest from Kafka,
    # of which up to replay_bytes are kept for others that want the same.
    ring_events: int = Field(20_000, ge=100)
    ring_bytes: int = Field(16 << 20, ge=1 << 20)
    replay_bytes: int = Field(16 << 20, ge=1 << 20)
    event_bytes: int = Field(64 << 10, ge=1 << 10)
    orders_remembered: int = Field(20_000, ge=100)

    fanout: Literal["sockets", "generator"] = "sockets"
    max_streams: int = Field(2000, ge=1)
    client_buffer_bytes: int = Field(256 << 10, ge=4 << 10)
    client_stall_s: float = Field(15.0, gt=0)
    flush_window_s: float = Field(0.02, ge=0)
    heartbeat_s: float = Field(10.0, gt=0, le=15)

    stale_after_s: float = Field(10.0, gt=0)
    watch_interval_s: float = Field(2.0, gt=0)
    history_timeout_s: float = Field(4.0, gt=0)
    test_event_interval_s: float = Field(1.0, ge=0)

    @property
    def messages_url(self) -> str:
        """Where Kafka UI shows the topic's messages, "" without one.

        The path is that of kafbat's Kafka UI, which the native stack's own understands, too."""
        path = f"/ui/clusters/orders/all-topics/{self.kafka_topic}/messages"
        return f"{self.kafka_ui_url.rstrip('/')}{path}" if self.kafka_ui_url else ""

    @property
    def trusted_host_list(self) -> list[str]:
        """TRUSTED_HOSTS as a list."""
        return [host.strip() for host in self.trusted_hosts.split(",") if host.strip()]

    @property
    def stream_limit(self) -> int:
        """How many streams may be open at once."""
        return self.max_streams if self.fanout == "sockets" else min(self.max_streams, GENERATOR_STREAMS)
