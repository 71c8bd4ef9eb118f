"""Gives a topic that was created again the partitions that events are published to.

It is created with as many as the settings say; the layout says more, once it has been grown."""

import logging
import time
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions

logger = logging.getLogger(__name__)

EVERY_S = 5.0


class MissingPartitions:
    """Adds partitions, without waiting for an answer, at most once in EVERY_S."""

    def __init__(self, admin: AdminClient, topic: str, clock: Callable[[], float] = time.monotonic):
        self._admin, self._topic, self._clock = admin, topic, clock
        self._asked_at = float("-inf")

    def add(self, partitions: int) -> None:
        """Have the topic have so many, if it has fewer. That it has them already is no error."""
        if self._clock() - self._asked_at < EVERY_S:
            return
        self._asked_at = self._clock()
        logger.warning("Events are published to %d partitions, and not all are read back", partitions)
        try:
            self._admin.create_partitions([NewPartitions(self._topic, partitions)], request_timeout=EVERY_S)
        except KafkaException as error:
            logger.warning("Partitions cannot be added: %s", error)
