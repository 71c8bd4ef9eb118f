import threading
from collections.abc import Callable
from uuid import UUID

from projector.backoff import Backoff, BackoffPolicy
from projector.topic.kafka import ClientFailed, Read
from projector.topic.loop import FAILED_FOR_S, KNOWN_S, NOT_YET, RECREATED, Loop
from tests.clock import FakeClock
from tests.order_events import Told, sums
from tests.unit.projector.fake_store import FakeStore
from tests.unit.projector.messages import message
from tests.unit.projector.topic.fake_kafka import FakeMember, FakeTopic


class Stopping(threading.Event):
    """An event that is set by itself after so many looks at it. No wait takes time."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def is_set(self) -> bool:
        self._looks -= 1
        return self._looks < 0

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


class Scene:
    def __init__(self) -> None:
        self.topic, self.store, self.clock = FakeTopic(), FakeStore(), FakeClock(tick_s=0.1)
        self.members: list[FakeMember] = []
        self.seen: str | None = None
        self.parked = 0
        self.client_problem: Callable[[float], str] = lambda since: ""
        self.loop = Loop(
            self.store,
            self._join,
            lambda: self.topic,
            lambda: Backoff(BackoffPolicy()),
            self.clock,
            lambda since: self.seen,
            lambda since: self.client_problem(since),
            self._on_parked,
        )

    def _join(self) -> FakeMember:
        self.members.append(FakeMember(self.topic))
        self.members[-1].assign(0, 1)
        return self.members[-1]

    def _on_parked(self) -> None:
        self.parked += 1


def test_reads_until_it_is_stopped_and_leaves_the_group() -> None:
    scene = Scene()
    assert scene.loop.problem == NOT_YET
    scene.topic.append(message(Told(UUID(int=1))))
    scene.loop.run(Stopping(10))
    assert scene.store.sums() == sums([Told(UUID(int=1))])
    assert scene.members[0].closed
    assert scene.loop.partitions == [0, 1]
    assert scene.loop.problem == ""


def test_one_whose_name_another_has_taken_is_not_well_although_it_reads_again() -> None:
    class Fenced(FakeMember):
        def read(self, timeout_s: float) -> Read:
            raise ClientFailed("fenced")

    scene = Scene()
    members: list[FakeMember] = [Fenced(scene.topic), FakeMember(scene.topic)]
    scene.loop._join = lambda: members.pop(0)
    scene.loop.run(Stopping(8))
    assert scene.loop._session is not None
    assert scene.loop.problem == "Kafka: fenced"
    scene.clock.now += FAILED_FOR_S
    assert scene.loop.problem == ""


def test_client_that_has_lost_its_place_in_the_group_without_noticing_is_replaced() -> None:
    scene = Scene()
    created_at: list[float] = []

    def first_client_is_lost(since: float) -> str:
        created_at.append(since)
        return "lost" if since == created_at[0] and len(scene.members) == 1 else ""

    scene.client_problem = first_client_is_lost
    scene.topic.append(message(Told(UUID(int=1))))
    scene.loop.run(Stopping(10))
    assert [member.closed for member in scene.members] == [True, True]
    assert scene.store.sums() == sums([Told(UUID(int=1))])
    assert scene.loop.problem == "Kafka: lost"  # for a while, so that somebody sees it


def test_tells_what_its_client_has_been_assigned() -> None:
    scene = Scene()
    assert scene.loop.assigned is None
    scene.topic.leaderless = {1}
    scene.loop.run(Stopping(10))
    assert scene.loop.assigned == {0, 1}
    assert scene.loop.partitions == [0]
    scene.clock.now += KNOWN_S  # a batch is being applied, for instance
    assert scene.loop.assigned is None


def test_topic_seen_to_be_another_one_begins_a_session_with_new_clients() -> None:
    scene = Scene()
    scene.seen = "topic-2"
    scene.loop.run(Stopping(2))
    assert scene.loop.problem == RECREATED
    scene.topic.id = "topic-2"
    scene.loop.run(Stopping(5))
    assert len(scene.members) == 2
    assert scene.members[0].closed
    assert scene.loop.problem == ""


def test_kafka_away_is_told_and_tried_again() -> None:
    scene = Scene()
    scene.topic.down = True
    scene.loop.run(Stopping(2))
    assert scene.loop.problem == "Kafka: no answer"
    assert scene.members == []
    scene.topic.down = False
    scene.loop.run(Stopping(5))
    assert scene.loop.problem == ""


def test_parked_messages_are_announced() -> None:
    scene = Scene()
    scene.topic.append(message(b"{", key=Told(UUID(int=1)).key))
    scene.loop.run(Stopping(10))
    assert scene.parked == 1
