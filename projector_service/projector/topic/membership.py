"""Whether the group and our client agree on what this instance reads.

A client whose place in the group has gone learns of it from the group's coordinator, and joins again. One that missed
it, or got stuck while it joined, is alive, answers every read with nothing, and would do so until a restart: the group
gives its partitions to the others, or to nobody. Only the group knows, so it is asked.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from projector.topic.kafka import KafkaUnavailable, Rebalancing


class Group(Protocol):
    """Questions about the group."""

    def assigned(self) -> frozenset[int] | None:
        """Return the partitions that this instance has in the group; None when it is no member.

        Raises KafkaUnavailable, Rebalancing.
        """
        ...


class Membership:
    """Asks the group every `every_s` seconds what it has assigned to this instance."""

    def __init__(
        self,
        ask: Callable[[], Group],
        ours: Callable[[], frozenset[int] | None],
        clock: Callable[[], float],
        every_s: float,
        patience_s: float,
    ) -> None:
        """ours: what our client has been assigned; None while it is not known.

        patience_s: how long they may disagree, as they do for moments after every change.
        """
        self._ask, self._ours, self._clock = ask, ours, clock
        self._every_s, self._patience_s = every_s, patience_s
        self._group: Group | None = None
        self._disagree_since: float | None = None
        self._disagreement = ""

    def problem_since(self, moment: float) -> str:
        """Return why a client that was created at this moment of the clock is of no use any more, or ""."""
        since = self._disagree_since
        if since is None or self._clock() - max(since, moment) < self._patience_s:
            return ""
        return self._disagreement

    def run(self, stopping: threading.Event) -> None:
        """Ask until `stopping` is set."""
        while not stopping.wait(self._every_s):
            self.look()

    def look(self) -> None:
        """Ask once. No answer, and a group that is rebalancing, count as agreement."""
        ours = self._ours()
        disagreement = "" if ours is None else self._compare(ours)
        if not disagreement:
            self._disagree_since = None
        elif self._disagree_since is None:
            self._disagree_since = self._clock()
        self._disagreement = disagreement

    def _compare(self, ours: frozenset[int]) -> str:
        self._group = self._group or self._ask()
        try:
            theirs = self._group.assigned()
        except (KafkaUnavailable, Rebalancing):
            return ""
        if theirs is None:
            return "the group does not have this instance, and its client does not notice"
        if theirs != ours:
            return (
                f"the group has assigned {sorted(theirs)} to this instance, and its client has {sorted(ours)}"
            )
        return ""
