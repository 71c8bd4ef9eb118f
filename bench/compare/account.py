"""What became of what was committed: the database's account beside the topic's."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.figures import percentile


class Change(NamedTuple):
    """A state that an order was brought into: 1 is the order as it was placed, 2 its first change of status."""

    order_id: str
    step: int


@dataclass
class Arrivals:
    """What has come by the topic, in its order.

    first_s: when a change was first read (time.time()). repeats: how many messages were of a change that had come
    before. disorder: how many first messages came after one of a later step of the same order.
    """

    first_s: dict[Change, float] = field(default_factory=dict)
    _repeats: Counter[str] = field(default_factory=Counter)  # by order, as the next one
    _disorder: Counter[str] = field(default_factory=Counter)
    _latest: dict[str, int] = field(default_factory=dict)

    @property
    def repeats(self) -> int:
        return self._repeats.total()

    @property
    def disorder(self) -> int:
        return self._disorder.total()

    def take(self, change: Change, now: float) -> None:
        """Note a message."""
        if change in self.first_s:
            self._repeats[change.order_id] += 1
            return
        self.first_s[change] = now
        latest = self._latest.get(change.order_id, 0)
        self._disorder[change.order_id] += change.step < latest
        self._latest[change.order_id] = max(latest, change.step)

    def forget(self, order_ids: Collection[str]) -> None:
        """Leave out everything of these orders."""
        self.first_s = {
            change: when for change, when in self.first_s.items() if change.order_id not in order_ids
        }
        for order_id in order_ids:
            del self._repeats[order_id], self._disorder[order_id]


@dataclass(frozen=True)
class Outcome:
    """What became of the changes of one trial.

    acknowledged, refused, unknown: requests, by their answers. lost: acknowledged changes that are not in the topic.
    lost_unanswered: changes that were committed, never acknowledged, and are not in the topic. phantoms: changes in
    the topic that were never committed. latencies_ms: from commit to a reader of the topic, sorted.
    """

    acknowledged: int
    refused: int
    unknown: int
    lost: int
    lost_unanswered: int
    phantoms: int
    repeats: int
    disorder: int
    latencies_ms: list[float]

    @property
    def p50_ms(self) -> float:
        return percentile(self.latencies_ms, 50)

    @property
    def p99_ms(self) -> float:
        return percentile(self.latencies_ms, 99)

    @property
    def max_ms(self) -> float:
        return self.latencies_ms[-1] if self.latencies_ms else float("inf")


def settle(
    acknowledged: Collection[Change],
    refused: int,
    unknown: int,
    committed_s: Mapping[Change, float],
    stored: Mapping[str, int],
    arrivals: Arrivals,
) -> Outcome:
    """Compare the accounts.

    stored: the step that each order has in the database at the end. committed_s: when changes were committed; those
    that a later change has overwritten may be missing.
    """
    changes = {Change(order_id, step) for order_id, last in stored.items() for step in range(1, last + 1)}
    missing = (changes | set(acknowledged)) - arrivals.first_s.keys()
    lost = missing & set(acknowledged)
    latencies = sorted(
        (arrivals.first_s[change] - moment) * 1000
        for change, moment in committed_s.items()
        if change in arrivals.first_s
    )
    return Outcome(
        len(acknowledged), refused, unknown, len(lost), len(missing - lost),
        len(arrivals.first_s.keys() - changes), arrivals.repeats, arrivals.disorder, latencies,
    )  # fmt: skip
