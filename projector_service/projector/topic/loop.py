"""The projector's thread: sessions in the consumer group, one after the other, for as long as the process lives."""

import logging
import threading
from collections.abc import Callable
from contextlib import closing

from projector.backoff import Backoff
from projector.topic.kafka import ClientFailed, KafkaUnavailable, Member, Topic
from projector.topic.session import Session, Store, TopicRecreated

logger = logging.getLogger(__name__)

NOT_YET = "not in the group yet"
RECREATED = "the topic was created again"
# Two instances of one name throw each other out all the time, and each is well in between.
FAILED_FOR_S = 15.0
# How long what a read has told holds: a few reads.
KNOWN_S = 2.0


class Loop:
    """Runs sessions. Each has clients of its own, made by `join` and `ask`."""

    def __init__(
        self,
        store: Store,
        join: Callable[[], Member],
        ask: Callable[[], Topic],
        new_backoff: Callable[[], Backoff],
        clock: Callable[[], float],
        topic_id_since: Callable[[float], str | None],
        client_problem_since: Callable[[float], str],
        on_parked: Callable[[], None],
    ) -> None:
        """topic_id_since: what the topic was when seen last, None when that was before this moment of the clock.

        client_problem_since: why a client of this moment is of no use any more, or "".

        on_parked: called after messages have been parked.
        """
        self._store, self._join, self._ask = store, join, ask
        self._new_backoff, self._clock = new_backoff, clock
        self._topic_id_since, self._client_problem_since = topic_id_since, client_problem_since
        self._on_parked = on_parked
        self._session: Session | None = None
        self._problem = NOT_YET
        self._failure, self._failed_until = "", clock()

    @property
    def problem(self) -> str:
        """Why nothing is read, or "" while all is well."""
        session = self._session
        failure = self._failure if self._clock() < self._failed_until else ""
        return self._problem if session is None else session.problem or failure

    @property
    def partitions(self) -> list[int]:
        """The partitions that this instance reads now."""
        session = self._session
        return [] if session is None else sorted(session.positions)

    @property
    def assigned(self) -> frozenset[int] | None:
        """All partitions that our client has been assigned, read or not; None while it is not known.

        The client learns of a change when it is read, which has to wait while a batch is being applied.
        """
        session = self._session
        if session is None or self._clock() - session.read_at >= KNOWN_S:
            return None
        return session.assigned

    def run(self, stopping: threading.Event) -> None:
        """Read until `stopping` is set."""
        backoff = self._new_backoff()
        while not stopping.is_set():
            try:
                self._run_session(stopping, backoff)
            except KafkaUnavailable as error:
                self._end(f"Kafka: {error}")
                if isinstance(error, ClientFailed):
                    self._failure, self._failed_until = self._problem, self._clock() + FAILED_FOR_S
            except TopicRecreated:
                self._end(RECREATED)
            stopping.wait(backoff.next_s())

    def _end(self, problem: str) -> None:
        logger.warning("A session has ended: %s", problem)
        self._problem, self._session = problem, None

    def _run_session(self, stopping: threading.Event, backoff: Backoff) -> None:
        topic, began_at = self._ask(), self._clock()
        topic_id = topic.describe().id
        with closing(self._join()) as member:
            session = Session(topic_id, member, topic, self._store, self._new_backoff(), self._clock)
            self._session = session
            while not stopping.is_set():
                if self._topic_id_since(began_at) not in (None, topic_id):
                    raise TopicRecreated
                if problem := self._client_problem_since(began_at):
                    raise ClientFailed(problem)
                applied = session.step()
                if applied.next_offsets:
                    backoff.reset()
                if applied.parked:
                    self._on_parked()
