"""An instance whose client has lost its place in a real group without noticing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from projector.backoff import Backoff, BackoffPolicy
from projector.topic.kafka import GroupAdmin, GroupMember, KafkaUnavailable, TopicAdmin, member_settings
from projector.topic.loop import Loop
from projector.topic.membership import Membership
from tests.eventually import eventually
from tests.integration.projector.conftest import PARTITIONS, READY_S, Topic
from tests.unit.projector.fake_store import FakeStore

ALL = frozenset(range(PARTITIONS))
INSTANCE = "one"


class NotJoining(GroupMember):
    """A client as one that has got stuck on its way into the group: it answers every read, with nothing."""

    def _join(self) -> None:
        pass


@pytest.fixture
def group(kafka: str, topic: Topic) -> GroupAdmin:
    return GroupAdmin(kafka, topic.name, INSTANCE, topic.name)


@contextmanager
def running(*runs: Callable[[threading.Event], None]) -> Iterator[None]:
    stopping = threading.Event()
    threads = [threading.Thread(target=run, args=(stopping,)) for run in runs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(READY_S)


def test_instance_that_the_group_does_not_have_joins_it_anew(
    kafka: str, topic: Topic, group: GroupAdmin
) -> None:
    settings = member_settings(kafka, topic.name, INSTANCE, 6)
    clients: list[Callable[..., GroupMember]] = [NotJoining, GroupMember]
    joined: list[GroupMember] = []

    def join() -> GroupMember:
        joined.append(clients.pop(0)(settings, topic.name, 100))
        return joined[-1]

    membership = Membership(lambda: group, lambda: loop.assigned, time.monotonic, 0.2, patience_s=8)
    loop = Loop(
        store=FakeStore(),
        join=join,
        ask=partial(TopicAdmin, kafka, topic.name),
        new_backoff=lambda: Backoff(BackoffPolicy()),
        clock=time.monotonic,
        topic_id_since=lambda since: None,
        client_problem_since=membership.problem_since,
        on_parked=lambda: None,
    )
    with running(loop.run, membership.run):
        eventually(lambda: loop.assigned == frozenset(), READY_S)
        eventually(lambda: group.assigned() is None, READY_S, not_yet=KafkaUnavailable)
        eventually(lambda: loop.assigned == ALL, READY_S)
        eventually(lambda: group.assigned() == ALL, READY_S, not_yet=KafkaUnavailable)
        assert len(joined) == 2
