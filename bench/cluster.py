"""A cluster of the benchmark's own: PostgreSQL and three brokers, migrated, in a temporary folder."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from producer.config import Settings

ROOT = Path(__file__).parent.parent
BACKENDS = ("postgres", "kafka-1", "kafka-2", "kafka-3")


@contextmanager
def started() -> Iterator[Settings]:
    """Start the cluster and stop it at the end of the block; give the settings that lead to it."""
    with tempfile.TemporaryDirectory(prefix="order-stream-bench-") as home:
        stack = [sys.executable, "-m", "local_stack", "--home", home]
        subprocess.run([*stack, "start", *BACKENDS], cwd=ROOT, check=True)
        try:
            lines = (Path(home) / "env").read_text().splitlines()
            env = dict(line.split("=", 1) for line in lines if "=" in line)
            address = env["DATABASE_URL"].strip("'\"")
            subprocess.run(
                [sys.executable, "-m", "alembic", "upgrade", "head"],
                cwd=ROOT / "db", env=os.environ | {"DATABASE_URL": address}, check=True, capture_output=True,
            )  # fmt: skip
            bootstrap = env["KAFKA_BOOTSTRAP_SERVERS"].strip("'\"")
            yield Settings(database_url=address, kafka_bootstrap_servers=bootstrap)
        finally:
            subprocess.run([*stack, "stop"], cwd=ROOT, check=True)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a process that uses these settings."""
    return os.environ | {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'producer_service'}",
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC": settings.kafka_topic,
        "PUBLISHER": settings.publisher,
        "RELAY_HEARTBEAT_FILE": f"{tempfile.gettempdir()}/{settings.kafka_topic}.heartbeat",
    }
