"""A rebuild: the topic is read from its beginning into a copy, which takes the place of the live read models.

It reads as an instance does (`topic/session.py`: `Session`), but all partitions, in no group, and with the positions of
the copy. Whatever stands in the way is tried again, as long as there is hope within GIVE_UP_S.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from projector.backoff import Backoff
from projector.readmodel.placement import Position
from projector.rebuild.progress import Distance, Progress
from projector.rebuild.shelf import CatchUp, Outcome
from projector.store.database import DatabaseUnavailable
from projector.topic.kafka import KafkaUnavailable, Topic
from projector.topic.lone_reader import Reader
from projector.topic.session import Session, Store, TopicRecreated

ASK_S = 1.0
GIVE_UP_S = 300.0
# For how long the live read models may stand still while the rest is read.
HELD_S = 1.0
EVERY_S = 1.0

RECREATED = "The topic was created again: what it holds now is read, too."
SEEDED = "Kafka does not have the latest events of {:,} orders: what they are now is taken from the table of orders."


class GivenUp(Exception):
    """For a long time nothing has moved; the message says why."""


class Copy(Protocol):
    """A copy of the read models (`shelf.py`: `Shelf`). All methods raise DatabaseUnavailable."""

    @property
    def store(self) -> Store: ...
    def missed(self) -> int: ...
    def seed(self) -> int: ...
    def swap(self, catch_up: CatchUp) -> Outcome | None: ...


@dataclass(frozen=True)
class Surroundings:
    """What a rebuild uses. Sessions have clients of their own, made by `read` and `ask`. pause: waits for seconds."""

    read: Callable[[], Reader]
    ask: Callable[[], Topic]
    new_backoff: Callable[[], Backoff]
    clock: Callable[[], float]
    pause: Callable[[float], object]
    tell: Callable[[str], None]
    progress: Progress


class Patience:
    """Ends when nothing has moved for too long."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._furthest = -1
        self._moved_at = clock()

    def begin_anew(self) -> None:
        """Expect positions that are smaller than before."""
        self._furthest, self._moved_at = -1, self._clock()

    def watch(self, positions: Mapping[int, int], problem: str) -> None:
        """Go on while positions move on. Raises GivenUp."""
        if (reached := sum(positions.values())) > self._furthest:
            self._furthest, self._moved_at = reached, self._clock()
        elif self._clock() - self._moved_at > GIVE_UP_S:
            raise GivenUp(f"Nothing has moved for {GIVE_UP_S:.0f} s: {problem or 'nothing more comes'}.")


class Rebuild:
    """Fills a copy until it takes the place of the live read models."""

    def __init__(self, copy: Copy, around: Surroundings) -> None:
        self._copy, self._around = copy, around
        self._patience = Patience(around.clock)
        self._distance = Distance()
        self._missed: int | None = None
        self._topic_id: str | None = None

    def run(self) -> Outcome:
        """Return the figures before and after. Raises GivenUp, and what a swap raises."""
        backoff = self._around.new_backoff()
        while True:
            try:
                return self._run_session(backoff)
            except TopicRecreated:
                pass
            except KafkaUnavailable as error:
                self._patience.watch({}, f"Kafka: {error}")
            self._around.pause(backoff.next_s())

    def _note(self, topic_id: str) -> None:
        """Begin anew with a topic that was created again: what was not read of the old one is to be seeded, too."""
        if self._topic_id not in (None, topic_id):
            self._patience.begin_anew()
            self._missed = None
            self._around.tell(RECREATED)
        self._topic_id = topic_id

    def _run_session(self, backoff: Backoff) -> Outcome:
        topic, clock = self._around.ask(), self._around.clock
        topic_id = topic.describe().id
        self._note(topic_id)
        with closing(self._around.read()) as reader:
            session = Session(topic_id, reader, topic, self._copy.store, self._around.new_backoff(), clock)
            trial = Trial(topic_id, session, clock)
            look_at, ends = clock(), dict[int, int]()
            while True:
                if clock() >= look_at:
                    ends, look_at = _look(topic, topic_id, reader), clock() + ASK_S
                    trial.note(ends)
                session.step()
                self._around.progress.show(*self._distance.of(session.positions, ends))
                if covers(session.positions, ends) and trial.is_due():
                    backoff.reset()
                    if self._seed(trial):
                        look_at = clock()  # more has come meanwhile
                    elif outcome := self._swap(trial):
                        return outcome
                self._patience.watch(session.positions, session.problem or trial.problem)

    def _seed(self, trial: "Trial") -> bool:
        """Seed once, and again when more events were gone before they were read; say whether it was looked for."""
        try:
            if self._missed == (missed := self._copy.missed()):
                return False
            seeded = self._copy.seed()
            self._patience.begin_anew()  # nothing was read meanwhile
        except DatabaseUnavailable as error:
            trial.problem = str(error)
            return True
        self._missed = missed
        if seeded:
            self._around.tell(SEEDED.format(seeded))
        return True

    def _swap(self, trial: "Trial") -> Outcome | None:
        try:
            if outcome := self._copy.swap(trial.catch_up):
                return outcome
            trial.fail("the live figures are ahead each time")
        except DatabaseUnavailable as error:
            trial.fail(str(error))
        return None


class Trial:
    """Whether the copy has read as far as the live read models, or can within HELD_S. problem: why it is not swapped.

    They stand still meanwhile, so there are pauses between two trials, and an end to all of them.
    """

    def __init__(self, topic_id: str, session: Session, clock: Callable[[], float]) -> None:
        self._topic_id, self._session, self._clock = topic_id, session, clock
        self._next_at, self._last_at = clock(), 0.0
        self._wanted: Mapping[int, int] = {}
        self._shorter: dict[int, int] = {}
        self.problem = ""

    def is_due(self) -> bool:
        """Return whether to try now."""
        if self._clock() < self._next_at:
            return False
        self._next_at = self._clock() + EVERY_S
        return True

    def fail(self, problem: str) -> None:
        """Say why it was not swapped. Raises GivenUp when that has been so for GIVE_UP_S."""
        self.problem = problem
        self._last_at = self._last_at or self._clock() + GIVE_UP_S
        if self._clock() > self._last_at:
            raise GivenUp(f"The swap has failed for {GIVE_UP_S:.0f} s: {problem}.")

    def note(self, ends: Mapping[int, int]) -> None:
        """Remember where the log has become shorter than what was read of it: an unclean election does that."""
        self._shorter = {p: ends[p] for p, offset in self._wanted.items() if ends.get(p, offset) < offset}

    def catch_up(self, live: Mapping[int, Position]) -> bool:
        """Read on to these positions; say whether that was possible. Those of another topic are of an earlier one."""
        self._wanted = {p: each.next_offset for p, each in live.items() if each.topic_id == self._topic_id}
        wanted = {p: min(offset, self._shorter.get(p, offset)) for p, offset in self._wanted.items()}
        end = self._clock() + HELD_S
        while not covers(self._session.positions, wanted):
            if self._clock() >= end:
                return False
            self._session.step()
        return True


def covers(positions: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    """Return whether everything up to these offsets is applied."""
    return all(p in positions and positions[p] >= end for p, end in ends.items())


def _look(topic: Topic, topic_id: str, reader: Reader) -> dict[int, int]:
    """Take partitions that have been added; return the ends of all logs. Raises KafkaUnavailable, TopicRecreated."""
    info = topic.describe()
    if info.id != topic_id:
        raise TopicRecreated
    reader.take(range(info.partitions))
    return {p: log.end for p, log in topic.logs(range(info.partitions)).items()}
