from pathlib import Path
from types import SimpleNamespace

import pytest
from supervisor.process import Subprocess
from supervisor.states import ProcessStates

from local_stack.deadline import Deadline
from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.never_give_up import LONGEST_WAIT_S, PersistentSubprocess
from local_stack.start import Watch
from local_stack.supervision import Seen


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_a_deadline_ends_the_wait():
    looks = []
    assert not Deadline(5, Clock()).poll(lambda: bool(looks.append(1)), pause=0)
    assert 1 < len(looks) < 6


def test_what_is_true_at_once_needs_no_wait():
    assert Deadline(0, Clock()).poll(lambda: True)


def test_a_few_restarts_are_healing_many_are_not(tmp_path: Path):
    watch = Watch(Layout(tmp_path))
    for started in (1, 1, 2, 3, 3):
        watch.see({"kafka-1": Seen("running", 9, started)}, ["kafka-1"])
    with pytest.raises(StackError, match="kafka-1 does not stay up"):
        watch.see({"kafka-1": Seen("restarting", 0, 4)}, ["kafka-1"])


def test_a_program_that_always_fails_is_tried_for_ever_at_a_steady_pace():
    config = SimpleNamespace(
        name="relay",
        stdout_logfile=None,
        stderr_logfile=None,
        options=SimpleNamespace(logger=None),
        startretries=1_000_000,
        create_autochildlogs=lambda: None,
    )
    program: Subprocess = PersistentSubprocess(config)
    for _ in range(1000):
        program.state = ProcessStates.STARTING
        program.change_state(ProcessStates.BACKOFF)
    assert program.backoff == LONGEST_WAIT_S
