"""What the worker process consists of, created in one place: views find it by `current_services()`."""

import threading
from dataclasses import dataclass, field

from flask import current_app

from kafka_ui.cluster.admin import Admin
from kafka_ui.cluster.overview import Overview
from kafka_ui.cluster.rates import Rates
from kafka_ui.cluster.survey import Survey
from kafka_ui.config import Settings

EXTENSION = "services"


@dataclass(frozen=True)
class Services:
    """Everything that requests use. stopping: set when the process is to end."""

    settings: Settings
    survey: Survey
    admin: Admin
    overview: Overview
    stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Connect to Kafka beside the first requests. To be called after the fork, which a client would not survive."""
        threading.Thread(target=self.admin.connect, name="connect", daemon=True).start()

    def stop(self) -> None:
        """Ask the tails to end. It only sets a flag, so a signal handler may call it."""
        self.stopping.set()


def create_services(settings: Settings) -> Services:
    """Create everything without connecting to Kafka or starting a thread."""
    admin = Admin(settings.kafka_bootstrap_servers)
    return Services(
        settings=settings,
        survey=Survey(settings.bootstrap_addresses),
        admin=admin,
        overview=Overview(admin, Rates()),
    )


def current_services() -> Services:
    """Return the services of the application that handles the current request."""
    services: Services = current_app.extensions[EXTENSION]
    return services
