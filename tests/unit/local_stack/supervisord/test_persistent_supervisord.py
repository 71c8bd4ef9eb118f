from types import SimpleNamespace

from supervisor.process import Subprocess
from supervisor.states import ProcessStates

from local_stack.supervisord.persistent_supervisord import MAX_DELAY_S, PersistentSubprocess


def test_backoff_of_a_failing_program_stops_growing_and_never_ends() -> None:
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
    assert program.backoff == MAX_DELAY_S
