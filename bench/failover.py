"""How long Kafka is held up when one of its processes is killed, and how long until it is whole again."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic, PartitionMetadata

from kafka_ui.wire.connection import Connection
from kafka_ui.wire.encoding import UnreadableResponse
from kafka_ui.wire.questions import METADATA, QUORUM, Refused
from tests.eventually import eventually

TOPIC, PARTITIONS = "failover", 6
EVERY_S = 0.005
PAYLOAD = b"x" * 400
ASK_S = 0.5
WHOLE_WITHIN_S = 90


@dataclass
class Load:
    """200 messages a second, spread over all partitions, as the relay sends them.

    latencies_s: when each was sent, and how long it took. failed: how many were given up."""

    bootstrap: str
    latencies_s: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Send while the block runs, and wait for what is on its way."""
        stop = threading.Event()
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 1,
                "socket.timeout.ms": 3000,
                "request.timeout.ms": 2000,
                "log_level": 0,
            }
        )
        thread = threading.Thread(target=self._send, args=(producer, stop), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join(10)
            producer.flush(30)

    def worst_s(self, since: float) -> float:
        """Return the longest delivery of what was sent from then on."""
        return max(took for sent, took in list(self.latencies_s) if sent >= since)

    def _send(self, producer: Producer, stop: threading.Event) -> None:
        number = 0
        while not stop.wait(EVERY_S):
            sent = time.monotonic()

            def delivered(error: object, message: object, sent: float = sent) -> None:
                if error is None:
                    self.latencies_s.append((sent, time.monotonic() - sent))
                else:
                    self.failed += 1

            producer.produce(TOPIC, PAYLOAD, partition=number % PARTITIONS, on_delivery=delivered)
            producer.poll(0)
            number += 1


class Cluster:
    """Three brokers. addresses: host:port by id. with_kraft: who keeps the metadata."""

    def __init__(self, addresses: Mapping[int, str], with_kraft: bool):
        self.addresses, self._with_kraft = addresses, with_kraft
        self.bootstrap = ",".join(addresses.values())
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create_topic(self) -> None:
        topic = NewTopic(TOPIC, PARTITIONS, 3, config={"min.insync.replicas": "2"})
        self._admin.create_topics([topic])[TOPIC].result(20)
        eventually(self.is_whole, within=WHOLE_WITHIN_S)

    def is_whole(self) -> bool:
        """Return whether every partition has all replicas in sync and its preferred leader."""
        try:
            partitions = self._partitions()
        except KafkaException:
            return False
        return len(partitions) == PARTITIONS and all(
            len(each.isrs) == 3 and each.leader == each.replicas[0] for each in partitions.values()
        )

    def controller(self, without: int = 0) -> int:
        """Return the controller's id, asked of all brokers but one; 0 while none of them names one."""
        for number, address in self.addresses.items():
            if number == without:
                continue
            try:
                with Connection(address, ASK_S) as connection:
                    found = self._ask_controller(connection)
            except (OSError, UnreadableResponse, Refused):
                continue
            if found > 0 and found != without:
                return found
        return 0

    def _ask_controller(self, connection: Connection) -> int:
        return connection.ask(QUORUM).leader if self._with_kraft else connection.ask(METADATA).controller

    def has_other_leaders(self, dead: int) -> bool:
        """Return whether another broker leads each partition that a dead one has led."""
        for number, address in self.addresses.items():
            if number == dead:
                continue
            try:
                with Connection(address, ASK_S) as connection:
                    topics = connection.ask(METADATA).topics
            except (OSError, UnreadableResponse, Refused):
                continue
            (topic,) = [each for each in topics if each.name == TOPIC]
            return all(each.leader not in (dead, -1) for each in topic.partitions)
        return False

    def _partitions(self) -> dict[int, PartitionMetadata]:
        return self._admin.list_topics(TOPIC, timeout=2).topics[TOPIC].partitions


def seconds_until(condition: Callable[[], bool | int], within: float) -> float:
    """Return how long it takes until a condition holds. Raises AssertionError when it does not in time."""
    began = time.monotonic()
    eventually(condition, within=within, every=0.01)
    return time.monotonic() - began
