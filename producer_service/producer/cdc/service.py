"""The keeper's process."""

import logging
import signal
import threading
from types import FrameType

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from producer.cdc import heartbeat
from producer.cdc.connect import Connect
from producer.cdc.connector import NAME, connector_config, heartbeat_topic
from producer.cdc.keeper import Keeper
from producer.cdc.slot import ReplicationSlot
from producer.config import Settings
from producer.domain.database import create_engine
from producer.publishing.kafka import admin_settings

logger = logging.getLogger(__name__)

EVERY_S = 1.0
DATABASE_TIMEOUT_S = 5.0
REQUEST_S = 5.0
# Nobody reads the heartbeats.
KEPT_MS = 3_600_000


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. It may be killed at any moment: the next one goes on."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    file = settings.connector_heartbeat_file
    file.unlink(missing_ok=True)
    engine = create_engine(settings.sqlalchemy_url, 1, DATABASE_TIMEOUT_S, isolation_level="AUTOCOMMIT")
    keeper = Keeper(
        Connect(settings.connect_url, NAME),
        ReplicationSlot(engine, settings.cdc_slot),
        connector_config(settings),
    )
    has_topic, told = False, None
    while not stopped.is_set():
        has_topic = has_topic or _create_heartbeat_topic(settings)
        problem = keeper.run_once() if has_topic else "Kafka does not answer"
        if problem != told:
            logger.warning("%s", problem) if problem else logger.info("The connector is running")
            told = problem
            # Without the topic, which somebody may have deleted, Debezium waits for it for ever.
            has_topic = has_topic and problem is None
        heartbeat.beat(file, problem)
        stopped.wait(EVERY_S)
    engine.dispose()


def _create_heartbeat_topic(settings: Settings) -> bool:
    """Create the topic of Debezium's heartbeats; return whether there is one. Brokers make none by themselves."""
    name = heartbeat_topic(settings)
    topic = NewTopic(
        name,
        num_partitions=1,
        replication_factor=settings.kafka_topic_replication_factor,
        config={"retention.ms": str(KEPT_MS)},
    )
    try:
        admin = AdminClient(admin_settings(settings))
        admin.create_topics([topic], request_timeout=REQUEST_S)[name].result(2 * REQUEST_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            logger.warning("The topic of the heartbeats could not be created: %s", error.args[0].str())
            return False
    return True
