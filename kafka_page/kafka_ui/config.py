"""The settings, read from the environment once, at the entrypoint."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field, in capitals, is an environment variable; `.env.example` documents them all."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    kafka_bootstrap_servers: str = Field(pattern=r"^[^\s,:]+:[0-9]{1,5}(,[^\s,:]+:[0-9]{1,5})*$")
    kafka_topic: str = "orders"
    kafka_metadata: Literal["kraft", "zookeeper"] = "kraft"

    producer_url: str = "http://127.0.0.1:5001"
    consumer_url: str = "http://127.0.0.1:5002"
    connect_url: str = ""
    trusted_hosts: str = "localhost,127.0.0.1,[::1]"

    @property
    def bootstrap_addresses(self) -> list[str]:
        """KAFKA_BOOTSTRAP_SERVERS as a list of host:port."""
        return self.kafka_bootstrap_servers.split(",")

    @property
    def trusted_host_list(self) -> list[str]:
        """TRUSTED_HOSTS as a list."""
        return [host.strip() for host in self.trusted_hosts.split(",") if host.strip()]
