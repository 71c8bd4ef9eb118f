"""What must hold after every fault, whatever happened: pure functions from what was seen to a list of problems."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tests.chaos.customers import Attempt, Outcome
from tests.chaos.observers import AWAY, Seen

# For so long what is said of the system may lag behind what it does: checks are cached, and states have delays.
SLACK_S = 4.0
# An event that comes later than this after it was acknowledged must have been announced: something is not right.
LATE_S = 35.0
# So many refusals in so short a time before and after a look at health are the same trouble.
NEAR_S, SLOW_S, SEVERAL = 0.5, 6.0, 3
NAMED = 5


@dataclass(frozen=True)
class Stored:
    """An order as PostgreSQL has it."""

    version: int
    customer: str


def _some(problem: str, found: Collection[object]) -> list[str]:
    return [f"{problem}: {len(found)}, such as {sorted(map(str, found))[:NAMED]}"] if found else []


def acknowledged(attempts: Iterable[Attempt]) -> set[tuple[str, int]]:
    """Return each acknowledged change as (order, version)."""
    return {change for attempt in attempts for change in attempt.changes}


def missing(attempts: Iterable[Attempt], seen: Iterable[Seen], observer: str) -> list[str]:
    """Report what was acknowledged and never seen."""
    shown = {(event.order_id, event.version) for event in seen}
    return _some(f"acknowledged, and {observer} never had it", acknowledged(attempts) - shown)


def invented(stored: Mapping[str, Stored], seen: Iterable[Seen], observer: str) -> list[str]:
    """Report what was seen and is not stored."""
    events = {
        (event.order_id, event.version)
        for event in seen
        if event.order_id not in stored or event.version > stored[event.order_id].version
    }
    return _some(f"{observer} had what was never committed", events)


def lost_orders(attempts: Iterable[Attempt], stored: Mapping[str, Stored]) -> list[str]:
    """Report what was acknowledged and is not stored."""
    absent = {
        (order, version)
        for order, version in acknowledged(attempts)
        if order not in stored or stored[order].version < version
    }
    return _some("acknowledged and not stored", absent)


def wrongly_answered(attempts: Sequence[Attempt], stored: Mapping[str, Stored]) -> list[str]:
    """Report what was stored although it was refused, answers with other orders than those that were made, and
    changes that two customers were told to have made."""
    made = defaultdict(set)
    for order_id, order in stored.items():
        made[order.customer].add(order_id)
    # What was refused may be wanted again, and made then.
    otherwise = {attempt.change for attempt in attempts if attempt.last is not Outcome.REFUSED}
    refused, others, many = [], [], []
    for attempt in attempts:
        orders, asked = made[attempt.marker], {order for order, version in attempt.changes if version == 1}
        is_changed = attempt.change not in otherwise and _is_stored(attempt.change, stored)
        if attempt.last is Outcome.REFUSED and (orders or is_changed):
            refused.append(attempt.marker)
        if attempt.wanted and asked and orders != asked:
            others.append(attempt.marker)
        if attempt.wanted and len(orders) not in (0, attempt.wanted):
            many.append(attempt.marker)
    told = Counter(change for attempt in attempts for change in attempt.changes)
    return [
        *_some("stored, although it was answered that nothing was", refused),
        *_some("answered with other orders than those that were made", others),
        *_some("a request, or its repetition with the same key, made another number of orders", many),
        *_some("acknowledged more than once", [change for change, times in told.items() if times > 1]),
    ]


def _is_stored(change: tuple[str, int] | None, stored: Mapping[str, Stored]) -> bool:
    """Return whether a change was made. Nobody but its customer changes the order."""
    return change is not None and change[0] in stored and stored[change[0]].version >= change[1]


def never_seen(stored: Mapping[str, Stored], seen: Iterable[Seen], observer: str) -> list[str]:
    """Report what is stored, acknowledged or not, and was never seen."""
    shown = {(event.order_id, event.version) for event in seen}
    every = {(order, version) for order, each in stored.items() for version in range(1, each.version + 1)}
    return _some(f"stored, and {observer} never had it", every - shown)


def mixed_up(stored: Mapping[str, Stored], seen: Iterable[Seen], observer: str) -> list[str]:
    """Report events of an order with another customer's data."""
    return _some(
        f"{observer} had another customer's data",
        {e.event_id for e in seen if e.order_id in stored and e.customer != stored[e.order_id].customer},
    )


def out_of_order(seen: Sequence[Seen], observer: str) -> list[str]:
    """Report orders whose versions were first seen in another order than 1, 2, 3, or with one left out."""
    highest: dict[str, int] = defaultdict(int)
    found = set()
    for event in seen:
        if event.version > highest[event.order_id] + 1:
            found.add(event.order_id)
        highest[event.order_id] = max(highest[event.order_id], event.version)
    return _some(f"{observer} had versions out of order", found)


def changed_bytes(seen: Iterable[Seen]) -> list[str]:
    """Report event ids with different bytes, and versions of an order with different ids."""
    payloads: dict[str, bytes] = {}
    ids: dict[tuple[str, int], str] = {}
    found = set()
    for event in seen:
        if payloads.setdefault(event.event_id, event.payload) != event.payload:
            found.add(event.event_id)
        if ids.setdefault((event.order_id, event.version), event.event_id) != event.event_id:
            found.add(f"{event.order_id} version {event.version}")
    return _some("the same event with other bytes or another id", found)


def repeats(seen: Sequence[Seen]) -> int:
    """Return how many events were not the first with their id."""
    return len(seen) - len({event.event_id for event in seen})


def wrong_figures(answer: Mapping[str, Any], orders: Iterable[tuple[str, int, Decimal]]) -> list[str]:
    """Report where the projector's answer to /stats differs from the orders: their number and money by status."""
    numbers = {status: number for status, number, _ in orders}
    money = sum((amount for status, _, amount in orders if status != "cancelled"), Decimal(0))
    expected = {"orders": sum(numbers.values()), "by_status": numbers, "revenue": f"{money:.2f}"}
    return [
        f"it answers {name}={answer.get(name)}, and the orders add up to {value}"
        for name, value in expected.items()
        if answer.get(name) != value
    ]


@dataclass(frozen=True)
class Health:
    """What /health/ready of the producer said. asked, at: when it was asked and had answered. status: None when it
    did not answer."""

    asked: float
    at: float
    status: str | None


def untrue_health(attempts: Sequence[Attempt], health: Sequence[Health]) -> list[str]:
    """Report when the producer said `ok` while it refused orders, or `unavailable` while it took them.

    `ok` is untrue when several orders were refused just before it was asked for and several just after, or when several
    that were refused in the end had been waiting all the while, and none was taken.
    """
    refused = sorted(attempt.ended for attempt in attempts if attempt.was_answered_503)
    taken = sorted(a.ended for a in attempts if a.first is Outcome.ACKNOWLEDGED)

    def count(since: float, until: float) -> int:
        return bisect_right(refused, until) - bisect_left(refused, since)

    found = [
        each
        for each in health
        if each.status == "ok"
        and (
            (
                count(each.asked - NEAR_S, each.asked) >= SEVERAL
                and count(each.at, each.at + NEAR_S) >= SEVERAL
            )
            or (
                count(each.asked - SLOW_S, each.asked)
                and sum(a.was_answered_503 and a.began <= each.asked and a.ended >= each.at for a in attempts)
                >= SEVERAL
                and not any(each.asked - SLOW_S <= t <= each.at for t in taken)
            )
        )
    ]
    wrong = [
        each
        for each in health
        if each.status == "unavailable"
        and not count(each.asked - SLACK_S, each.at + SLACK_S)
        and (near_by := [t for t in taken if abs(t - each.at) <= SLACK_S])
        and min(near_by) < each.at - SLACK_S / 2
        and max(near_by) > each.at + SLACK_S / 2
        and _widest(near_by) < SLACK_S / 4
    ]
    return _some("health was `ok` while orders were refused", found) + _some(
        "health was `unavailable` while orders were taken", wrong
    )


def _widest(times: Sequence[float]) -> float:
    return max((b - a for a, b in pairwise(times)), default=0.0)


def late_without_a_word(
    attempts: Iterable[Attempt],
    seen: Iterable[Seen],
    states: Sequence[tuple[float, str]],
    health: Sequence[Health],
    observer: str,
) -> list[str]:
    """Report events that came late while everything that speaks said that all was well."""
    first: dict[tuple[str, int], float] = {}
    for event in seen:
        first.setdefault((event.order_id, event.version), event.at)
    found = []
    for attempt in attempts:
        for change in attempt.changes:
            at = first.get(change)
            if at is None or at - attempt.ended < LATE_S:
                continue
            told = any(s in (AWAY, "stale") for t, s in states if attempt.ended <= t <= at) or any(
                h.status != "ok" for h in health if attempt.ended <= h.at <= at
            )
            if not told:
                found.append(f"{change} after {at - attempt.ended:.0f} s")
    return _some(f"{observer} had it late, and nothing had said so", found)


def longest_pause(attempts: Iterable[Attempt], since: float, until: float) -> float:
    """Return the longest time without an acknowledgement, in seconds."""
    times = [a.ended for a in attempts if a.changes and since <= a.ended <= until]
    return _widest(sorted([since, *times, until]))
