"""The settings of the stack, read from the environment."""

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from local_stack.errors import StackError


class Settings(BaseSettings):
    """What the environment may change. A port of 0 takes a free one."""

    model_config = SettingsConfigDict(frozen=True)

    producer_port: int = Field(5001, ge=0, le=65535)
    consumer_port: int = Field(5002, ge=0, le=65535)
    kafka_topic: str = "orders"
    java_home: Path | None = None
    xdg_cache_home: Path = Field(default_factory=lambda: Path.home() / ".cache")
    postgres_fsync: bool = True

    @property
    def cache(self) -> Path:
        """The folder of Kafka's jars and its class-data archive, shared by all stacks of this user."""
        return self.xdg_cache_home / "order-stream"


def load_settings() -> Settings:
    """Read the settings. Raises StackError that names the first invalid one."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise StackError(f"{str(first['loc'][0]).upper()}: {first['msg']}.") from error
