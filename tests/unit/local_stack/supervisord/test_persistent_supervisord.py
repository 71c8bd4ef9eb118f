from types import SimpleNamespace

from supervisor.process import Subprocess
from supervisor.states import ProcessStates

from local_stack.supervisord.persistent_supervisord import LONGEST_WAIT_S, PersistentSubprocess


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
