"""The read-back: an outbox row is deleted when its event has been seen in Kafka, and only then.

Every relay reads all partitions, without a consumer group: after a kill, a group would make the next member
wait for the last one's session to time out. Reading an event twice, or in two relays, deletes nothing twice.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient
from sqlalchemy.exc import SQLAlchemyError

from producer.relay.backoff import Backoff
from producer.relay.outbox import Outbox
from producer.relay.readback_session import STALL_S, ReadBackSession, Stalled
from producer.relay.topic_watch import TopicChanged, TopicRecreated

logger = logging.getLogger(__name__)

NEVER = float("-inf")
MAX_STALL_S = 640.0


class ReadBack:
    """Reads the topic, one bounded step at a time, and deletes the outbox rows whose events it sees.

    `staleness()` is the age of its knowledge of each partition: everything that was in it that many seconds ago
    has been read, and its rows are deleted. It is measured against end offsets asked of the brokers, because a
    consumer that receives nothing cannot tell a quiet topic from a silent broker.

    One thread may do the steps while others ask.

    found_another_topic: whether the topic has been created again since the first session. It is read back all the same;
    but librdkafka's idempotent producer may be stuck for good then, so whoever publishes is to make a new one.
    """

    def __init__(
        self,
        outbox: Outbox,
        new_consumer: Callable[[], Consumer],
        new_admin: Callable[[], AdminClient],
        topic: str,
        on_release: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._outbox, self._new_consumer, self._new_admin = outbox, new_consumer, new_admin
        self._topic, self._on_release, self._clock = topic, on_release, clock
        self._session: ReadBackSession | None = None
        self._topic_id: str | None = None
        self.found_another_topic = False
        self._proof_requested = threading.Event()
        # Replaced as a whole, never changed: other threads read them.
        self._proven_at: Mapping[int, float] = {}
        self._waiting_since: Mapping[int, float] = {}
        self._away_since: float | None = clock()
        self._skipped = 0
        self._backoff = Backoff()
        self._stall_s = STALL_S
        self._stalled: int | None = None

    def step(self) -> float:
        """Begin, or read and delete what has come; return how long to wait before the next step, in seconds.

        Takes some seconds at most, when a server does not answer.
        """
        try:
            return self._begin() if self._session is None else self._follow(self._session)
        except TopicChanged as change:
            logger.warning("The read-back begins anew: %s", change)
            self.found_another_topic |= isinstance(change, TopicRecreated)
            self._stalled, self._stall_s = None, STALL_S
            self.close()
            return 0.0
        except (KafkaException, SQLAlchemyError) as error:
            if isinstance(error, Stalled):  # it may need long to get past what nobody is given
                self._stalled, self._stall_s = error.partition, min(2 * error.waited_s, MAX_STALL_S)
            pause_s = self._backoff.next_s()
            logger.warning("The read-back starts again in %.1f s: %s", pause_s, str(error).splitlines()[0])
            self.close()
            return pause_s

    def close(self) -> None:
        """Leave the topic. The next step begins anew."""
        self._proven_at = {}
        session, self._session = self._session, None
        if session is not None:
            self._skipped += session.skipped
            self._topic_id = session.topic_id
            if self._away_since is None:
                self._away_since = self._clock()
            session.close()

    def staleness(self) -> dict[int, float]:
        """Return the age of each partition's last proof in seconds, infinite before the first one.

        Empty before the beginning, and after an error.
        """
        now = self._clock()
        return {number: now - proven_at for number, proven_at in self._proven_at.items()}

    def lag(self) -> dict[int, float]:
        """Return for how long a proof has been wanted and not come, of each partition where one is, in seconds."""
        now = self._clock()
        return {number: now - since for number, since in self._waiting_since.items()}

    def away_s(self) -> float:
        """Return for how long no partition has been read back, in seconds; 0 while the topic is read."""
        since = self._away_since
        return 0.0 if since is None else self._clock() - since

    @property
    def skipped(self) -> int:
        """How many messages were no event of ours."""
        return self._skipped + (self._session.skipped if self._session else 0)

    def request_proof(self) -> None:
        """Ask for newer proofs: somebody wants to claim."""
        self._proof_requested.set()

    def _begin(self) -> float:
        self._session = ReadBackSession(
            self._outbox,
            self._new_consumer(),
            self._new_admin(),
            self._topic,
            self._on_release,
            self._clock,
            self._topic_id,
        )
        self._proven_at = dict.fromkeys(self._session.begin(), NEVER)
        self._away_since = None
        self._waiting_since = {
            number: since for number, since in self._waiting_since.items() if number in self._proven_at
        }
        return 0.0

    def _follow(self, session: ReadBackSession) -> float:
        pause_s = session.read()
        if self._proof_requested.is_set():
            self._proof_requested.clear()
            now = self._clock()
            self._waiting_since = {number: self._waiting_since.get(number, now) for number in self._proven_at}
        session.ask(self._waiting_since)
        if reached := session.reached(self._stall_s):
            self._proven_at = {**self._proven_at, **reached}
            self._waiting_since = {
                number: since
                for number, since in self._waiting_since.items()
                if reached.get(number, NEVER) < since
            }
            self._backoff.reset()
        if self._stalled in reached:  # it went on: the next silence is another one
            self._stalled, self._stall_s = None, STALL_S
        return pause_s
