"""The program of each service that supervisord runs."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_stack import passwords, postgres
from local_stack.addresses import Addresses
from local_stack.config import Settings
from local_stack.paths import PROJECT_ROOT, Paths
from local_stack.services import (
    CONNECT,
    CONNECTOR,
    CONSUMER,
    KAFKA_UI,
    MORE_PROJECTORS,
    POSTGRES,
    PRODUCER,
    PROJECTOR,
    PROJECTORS,
    RELAY,
)
from local_stack.supervisord.configuration import Program

PRODUCER_FOLDER, CONSUMER_FOLDER = PROJECT_ROOT / "producer_service", PROJECT_ROOT / "consumer_service"
PROJECTOR_FOLDER, KAFKA_UI_FOLDER = PROJECT_ROOT / "projector_service", PROJECT_ROOT / "kafka_page"


def postgres_program(paths: Paths) -> Program:
    return Program(POSTGRES, postgres.command(paths), paths.home)


def app_programs(paths: Paths, addresses: Addresses, settings: Settings) -> list[Program]:
    """Return the programs of the project's own services."""

    def program(name: str, folder: Path, module: str, *arguments: str) -> Program:
        environment = app_environment(name, paths, addresses, settings)
        return Program(name, [sys.executable, "-m", module, *arguments], folder, environment)

    def projector(name: str, url: str) -> Program:
        return program(name, PROJECTOR_FOLDER, *_gunicorn("projector:create_app()", url))

    return [
        program(PRODUCER, PRODUCER_FOLDER, *_gunicorn("producer:create_app()", addresses.producer_url)),
        program(RELAY, PRODUCER_FOLDER, "producer.relay"),
        program(CONSUMER, CONSUMER_FOLDER, *_gunicorn("consumer:create_app()", addresses.consumer_url)),
        projector(PROJECTOR, addresses.projector_url),
        program(KAFKA_UI, KAFKA_UI_FOLDER, *_gunicorn("kafka_ui:create_app()", addresses.kafka_ui_url)),
        program(CONNECTOR, PRODUCER_FOLDER, "producer.cdc"),
        *(projector(name, addresses.more_projector_urls[name]) for name in MORE_PROJECTORS),
    ]


def app_environment(name: str, paths: Paths, addresses: Addresses, settings: Settings) -> dict[str, str]:
    """Return the variables of an app. Each logs in to the database as its own role, readers of Kafka not at all."""
    # What Debezium may do, the connector may do as well.
    role = {CONNECTOR: CONNECT, **dict.fromkeys(MORE_PROJECTORS, PROJECTOR)}.get(name, name)
    return {
        **addresses.public(),
        **(role_environment(role, paths, addresses) if role in passwords.ROLES else {}),
        **({"CONNECT_URL": addresses.connect_url} if settings.cdc else {}),
        "PUBLISHER": settings.publisher,
        "KAFKA_TOPIC": settings.kafka_topic,
        "KAFKA_METADATA": settings.kafka_metadata,
        "TRUSTED_HOSTS": settings.all_trusted_hosts,
        "RELAY_HEARTBEAT_FILE": str(paths.heartbeat),
        "CONNECTOR_HEARTBEAT_FILE": str(paths.connector_heartbeat),
        "CONNECT_PASSWORD_FILE": str(passwords.connect_password(paths)),
        **({"PROJECTOR_INSTANCE_ID": instance_id(name)} if name in PROJECTORS else {}),
        "PYTHONUNBUFFERED": "1",
    }


def instance_id(name: str) -> str:
    """Return the name of a projector in the consumer group: its own, and the same after a restart of the stack."""
    return f"{PROJECTOR}-{PROJECTORS.index(name) + 1}"


def role_environment(role: str, paths: Paths, addresses: Addresses) -> Mapping[str, str]:
    """Return the variables with which libpq logs in as a role."""
    return {"DATABASE_URL": addresses.role_url(role), "PGPASSFILE": str(passwords.pgpass(paths, role))}


def _gunicorn(app: str, url: str) -> Sequence[str]:
    return ["gunicorn", "--bind", url.removeprefix("http://"), app]
