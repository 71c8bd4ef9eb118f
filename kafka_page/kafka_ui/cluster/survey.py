"""Asks every broker at the same time. What one of them has not answered in its time stays unknown."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from kafka_ui.cluster.picture import Answer, Picture, put_together
from kafka_ui.wire.connection import Connection
from kafka_ui.wire.encoding import UnreadableResponse
from kafka_ui.wire.questions import LOG_DIRS, METADATA, QUORUM, Refused

BROKER_S = 1.0
"""How long a broker may take for all its answers."""
KEPT_S = 1.0
MOST_BROKERS = 64

Ask = Callable[[str], Answer]


def ask_broker(address: str, with_quorum: bool = True) -> Answer:
    """Ask one broker, for BROKER_S at most. The quorum comes last: without an active controller nothing comes.

    with_quorum: not so where ZooKeeper keeps the metadata, as those brokers do not know the question."""
    began = time.monotonic()
    metadata = log_dirs = quorum = took_ms = None
    problem = ""
    try:
        with Connection(address, BROKER_S) as connection:
            metadata = connection.ask(METADATA)
            took_ms = (time.monotonic() - began) * 1000
            log_dirs = connection.ask(LOG_DIRS)
            quorum = connection.ask(QUORUM) if with_quorum else None
    except (OSError, UnreadableResponse, Refused) as error:
        problem = str(error)
    return Answer(address, metadata, log_dirs, quorum, took_ms, problem)


class Survey:
    """The picture of the cluster, at most KEPT_S old: however many pages ask, the brokers are asked once a second."""

    def __init__(
        self,
        bootstrap: Iterable[str],
        ask: Ask = ask_broker,
        clock: Callable[[], float] = time.time,
        in_zookeeper: bool = False,
    ) -> None:
        """Ask nobody yet. bootstrap: host:port of at least one broker. in_zookeeper: who keeps the metadata."""
        self._bootstrap, self._ask, self._clock = list(bootstrap), ask, clock
        self._in_zookeeper = in_zookeeper
        self._lock = threading.Lock()
        self._known: dict[int, str] = {}
        self._picture: Picture | None = None

    def picture(self) -> Picture:
        """Return the picture. Takes 2 * BROKER_S at most, for a broker nobody had named yet; else BROKER_S."""
        with self._lock:
            if self._picture is None or abs(self._clock() - self._picture.at) >= KEPT_S:
                self._picture = self._take()
            return self._picture

    def _take(self) -> Picture:
        answers = self._ask_all({*self._bootstrap, *self._known.values()})
        named = {address for each in answers if each.metadata for address in each.metadata.brokers.values()}
        answers += self._ask_all(named - {each.address for each in answers})
        picture = put_together(answers, self._known, self._clock(), self._in_zookeeper)
        self._known = {
            broker.id: broker.address for broker in picture.brokers if broker.address
        } or self._known
        return picture

    def _ask_all(self, addresses: set[str]) -> list[Answer]:
        if not addresses:
            return []
        with ThreadPoolExecutor(min(len(addresses), MOST_BROKERS), "ask") as pool:
            return list(pool.map(self._ask, sorted(addresses)))
