"""supervisord with a bounded restart delay, so that it restarts a failing service for ever at a steady pace.

Stock supervisord waits one second longer after each failed start, and gives a service up for good (FATAL)
after `startretries` of them. A service of this stack may fail for an hour because another one that it needs
is down, and must be back within seconds once that one returns. So the delay stays at a few seconds.

Run this file by its path, with supervisord's own options.
"""

from supervisor import process, supervisord
from supervisor.states import ProcessStates

MAX_DELAY_S = 3


class PersistentSubprocess(process.Subprocess):  # type: ignore[misc]  # supervisor has no annotations
    """A supervised process whose backoff (failed starts so far, and seconds to wait) stops growing."""

    backoff: int

    def change_state(self, new_state: int, expected: bool = True) -> bool:
        if new_state == ProcessStates.BACKOFF:
            # supervisor adds one to it before it waits.
            self.backoff = min(self.backoff, MAX_DELAY_S - 1)
        return bool(super().change_state(new_state, expected))


if __name__ == "__main__":
    process.Subprocess = PersistentSubprocess
    supervisord.main()
