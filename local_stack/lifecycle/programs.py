"""The program of each service that supervisord runs."""

import sys
from collections.abc import Sequence
from pathlib import Path

from local_stack import postgres
from local_stack.addresses import Addresses
from local_stack.paths import PROJECT_ROOT, Paths
from local_stack.services import CONSUMER, POSTGRES, PRODUCER, RELAY
from local_stack.supervisord.configuration import Program

PRODUCER_FOLDER, CONSUMER_FOLDER = PROJECT_ROOT / "producer_service", PROJECT_ROOT / "consumer_service"


def postgres_program(paths: Paths) -> Program:
    return Program(POSTGRES, postgres.command(paths), paths.home)


def app_programs(paths: Paths, addresses: Addresses, topic: str) -> list[Program]:
    """Return the programs of the project's own services."""
    environment = {
        **addresses.environment(),
        "KAFKA_TOPIC": topic,
        "RELAY_HEARTBEAT_FILE": str(paths.heartbeat),
        "PYTHONUNBUFFERED": "1",
    }

    def program(name: str, folder: Path, module: str, *arguments: str) -> Program:
        return Program(name, [sys.executable, "-m", module, *arguments], folder, environment)

    return [
        program(PRODUCER, PRODUCER_FOLDER, *_gunicorn("producer:create_app()", addresses.producer_url)),
        program(RELAY, PRODUCER_FOLDER, "producer.relay"),
        program(CONSUMER, CONSUMER_FOLDER, *_gunicorn("consumer:create_app()", addresses.consumer_url)),
    ]


def _gunicorn(app: str, url: str) -> Sequence[str]:
    return ["gunicorn", "--bind", url.removeprefix("http://"), app]
