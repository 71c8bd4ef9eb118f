"""supervisord, but one that keeps trying at a steady pace.

Stock supervisord waits a second longer after each failed start, and after `startretries` of them leaves a
service dead for good (FATAL). A service here may fail for an hour because something it needs is away, and
must be back within seconds of its return: the wait stays at a few seconds. It is run by path, as supervisord
would be.
"""

from supervisor import process, supervisord
from supervisor.states import ProcessStates

LONGEST_WAIT_S = 3


class PersistentSubprocess(process.Subprocess):  # type: ignore[misc]  # supervisor has no annotations
    backoff: int

    def change_state(self, new_state: int, expected: bool = True) -> bool:
        if new_state == ProcessStates.BACKOFF:
            self.backoff = min(self.backoff, LONGEST_WAIT_S - 1)
        return bool(super().change_state(new_state, expected))


if __name__ == "__main__":
    process.Subprocess = PersistentSubprocess
    supervisord.main()
