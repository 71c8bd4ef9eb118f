"""What the worker process consists of, created in one place: views find it by `current_services()`."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from flask import current_app

from kafka_ui.cluster.admin import Admin
from kafka_ui.cluster.offsets import Offsets
from kafka_ui.cluster.overview import Overview
from kafka_ui.cluster.picture import Picture
from kafka_ui.cluster.rates import Rates
from kafka_ui.cluster.survey import Survey, ask_broker
from kafka_ui.config import Settings
from kafka_ui.messages.kafka import KafkaReader, OpenReader
from kafka_ui.messages.tail import Tails

EXTENSION = "services"
MOST_READS = 3


@dataclass(frozen=True)
class Services:
    """Everything that requests use. stopping: set when the process is to end. reads: a place for each bounded read.

    open_reader: opens readers on the brokers that are up.
    """

    settings: Settings
    survey: Survey
    admin: Admin
    offsets: Offsets
    overview: Overview
    tails: Tails
    open_reader: Callable[[Picture], OpenReader]
    stopping: threading.Event
    reads: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_READS))

    def start(self) -> None:
        """Connect to Kafka beside the first requests. To be called after the fork, which a client would not survive."""
        threading.Thread(target=self.admin.connect, name="connect", daemon=True).start()

    def stop(self) -> None:
        """Ask the tails to end. It only sets a flag, so a signal handler may call it."""
        self.stopping.set()


def create_services(settings: Settings) -> Services:
    """Create everything without connecting to Kafka or starting a thread."""
    admin, offsets = Admin(settings.kafka_bootstrap_servers), Offsets()
    stopping = threading.Event()
    in_zookeeper = settings.kafka_metadata == "zookeeper"
    ask = partial(ask_broker, with_quorum=not in_zookeeper)
    return Services(
        settings=settings,
        survey=Survey(settings.bootstrap_addresses, ask, in_zookeeper=in_zookeeper),
        admin=admin,
        offsets=offsets,
        overview=Overview(admin, offsets, Rates()),
        tails=Tails(stopping),
        open_reader=_open_reader,
        stopping=stopping,
    )


def _open_reader(picture: Picture) -> OpenReader:
    """Name only brokers that answer to the client: it would wait for another one."""
    return partial(KafkaReader, ",".join(each.address for each in picture.brokers if each.state == "up"))


def current_services() -> Services:
    """Return the services of the application that handles the current request."""
    services: Services = current_app.extensions[EXTENSION]
    return services
