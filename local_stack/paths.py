import os
from dataclasses import dataclass
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Paths:
    """Where everything of one stack lies; nothing outside `home` is written but the jars' cache."""

    home: Path

    @property
    def env(self) -> Path:
        return self.home / "env"

    @property
    def lock(self) -> Path:
        return self.home / "lock"

    @property
    def ports(self) -> Path:
        return self.home / "ports.json"

    @property
    def password(self) -> Path:
        return self.home / "password"

    @property
    def postgres(self) -> Path:
        return self.home / "postgres"

    @property
    def kafka(self) -> Path:
        return self.home / "kafka"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def heartbeat(self) -> Path:
        return self.run / "relay.heartbeat"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def create(self) -> None:
        for folder in (self.home, self.run, self.logs, self.kafka):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Atomically, and from its first byte on readable by its owner only."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    part.replace(path)
