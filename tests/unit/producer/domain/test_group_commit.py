"""How the lead of a group commit is handed on, without a database."""

import threading
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from producer.domain.group_commit import GroupCommit
from producer.domain.models import Placement
from tests.eventually import eventually


def test_follower_that_dies_while_it_waits_hands_on_the_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = sa.create_engine("postgresql+psycopg2://nowhere")
    groups = GroupCommit(engine, wait_s=10)
    may_end, stored = threading.Event(), []

    def execute(group: list[Any]) -> dict[int, bool]:
        may_end.wait(10)
        stored.append(len(group))
        return {}

    monkeypatch.setattr(groups, "_execute", execute)

    def await_turn(waiting: Any) -> None:
        assert waiting.turn.wait(10)
        if threading.current_thread().name == "dies":
            raise MemoryError

    monkeypatch.setattr(groups, "_await_turn", await_turn)
    monkeypatch.setattr(groups, "_take", lambda: [groups._queue.pop(0)])
    outcomes: dict[str, str] = {}

    def has_queued(count: int) -> bool:
        return groups._is_led and len(groups._queue) == count

    def place(name: str) -> None:
        try:
            groups.store(Placement([], [], timedelta(0)), None, lambda: None)
            outcomes[name] = "stored"
        except MemoryError:
            outcomes[name] = "died"

    threads = [
        threading.Thread(target=place, args=(name,), name=name) for name in ("first", "dies", "behind")
    ]
    for number, thread in enumerate(threads):
        thread.start()
        eventually(partial(has_queued, number))
    may_end.set()
    for thread in threads:
        thread.join(10)
    assert outcomes == {"first": "stored", "dies": "died", "behind": "stored"}
    assert not groups._is_led
