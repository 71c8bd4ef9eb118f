"""Random plans: sizes, which faults this run has (a few only: they would hide one another), and the steps."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.simulation.runner import Plan, Step
from tests.simulation.stream.scheduler import UNLIMITED

FAULTS = (
    "delivery", "kill", "freeze", "suspend", "leader", "lose", "grow", "odd", "database", "jump", "poison", "answers",
    "fatal", "silent",
)  # fmt: skip
SMALLEST: Mapping[str, Any] = {
    "partitions": 1, "shops": 1, "relays": 1, "room": 1000, "in_flight": 1000, "operator": "discard",
    "vanished": "error", "ending": "plain",
}  # fmt: skip


def random_plan(rng: random.Random) -> Plan:
    """Return a random plan."""
    setup = {
        "partitions": rng.choice((1, 1, 2, 3)),
        "shops": rng.choice((1, 2, 2)),
        "relays": rng.choice((1, 1, 2)),
        "room": rng.choice((2, 1000, 1000)),
        "in_flight": rng.choice((1, 1000, 1000)),
        "operator": rng.choice(("discard", "requeue")),
        "ending": rng.choice(("plain", "plain", "outage", "one leader away")),
        "vanished": rng.choice(("error", "-1001")),
    }
    faults = {fault for fault in FAULTS if rng.random() < 0.25}
    if "lose" in faults:
        # A silent consumer is not told that its log was cut. When the log has grown again, its position is an end of
        # other messages: the proof is wrong until the next one, and what is in Kafka already may be sent once more.
        faults -= {"silent"}
    weights = {name: weight for name, (weight, fault, _) in STEPS.items() if fault is None or fault in faults}
    names = rng.choices([*weights], [*weights.values()], k=rng.randint(15, 70))
    opening: list[Step] = [("place", 0, 1, UNLIMITED)]
    return Plan(setup, [*opening, *(STEPS[name][2](rng) for name in names)])


def _pauses(rng: random.Random) -> int:
    """Return for how long a thread runs: mostly until it waits."""
    return UNLIMITED if rng.random() < 0.55 else rng.randint(1, 12)


def _move(rng: random.Random) -> Step:
    shop, order = rng.randrange(2), rng.choice((0, 0, 0, 1, 2, 3))
    return "move", shop, order, rng.random() < 0.2, _pauses(rng)


def _operate(rng: random.Random) -> Step:
    return "operate", rng.choice(("requeue", "discard")), rng.randrange(8), _pauses(rng)


FATES = ("twice", "silent", "timed out", "late", "lost", "refused")
Arguments = Callable[[random.Random], Step]
STEPS: dict[str, tuple[int, str | None, Arguments]] = {
    "place": (4, None, lambda rng: ("place", rng.randrange(2), rng.choice((1, 1, 2)), _pauses(rng))),
    "burst": (2, None, lambda rng: ("burst", rng.randrange(2), rng.choice((3, 4)), rng.randint(1, 12))),
    "move": (12, None, _move),
    "go_on": (14, None, lambda rng: ("go_on", rng.randrange(4), _pauses(rng))),
    "reports": (3, None, lambda rng: ("reports", rng.randrange(2), _pauses(rng))),
    "relay": (24, None, lambda rng: ("relay", rng.randrange(2), rng.choice(("dispatch", "read-back")), _pauses(rng))),
    "deliver": (10, None, lambda rng: ("deliver", rng.randrange(4), "ok")),
    "answer": (6, None, lambda rng: ("answer", rng.randrange(4), "ok")),
    "clock": (8, None, lambda rng: ("clock", rng.choice((0.03, 0.3, 0.3, 1.1, 6.5, 11.0, 35.0)))),
    "work": (4, None, lambda rng: ("work", rng.choice((1, 2, 5)))),
    "health": (2, None, lambda rng: ("health", rng.randrange(2))),
    "fate": (6, "delivery", lambda rng: ("deliver", rng.randrange(4), rng.choice(FATES))),
    "odd answer": (5, "answers", lambda rng: ("answer", rng.randrange(4), rng.choice(("early", "-1001", "error")))),
    "kill": (2, "kill", lambda rng: ("kill", rng.randrange(4), rng.randrange(3))),
    "restart": (3, "kill", lambda rng: ("restart", rng.randrange(4))),
    "freeze": (3, "freeze", lambda rng: ("freeze", rng.randrange(4), rng.choice((0.5, 3.0, 7.0, 12.0)), False)),
    "suspend": (2, "suspend", lambda rng: ("freeze", rng.randrange(4), rng.choice((3.0, 12.0)), True)),
    "leader": (4, "leader", lambda rng: ("leader", rng.randrange(3), rng.random() < 0.5)),
    "lose": (4, "lose", lambda rng: ("lose", rng.randrange(3), rng.randint(1, 3))),
    "grow": (1, "grow", lambda rng: ("grow",)),
    "refresh": (2, "grow", lambda rng: ("refresh", rng.randrange(4))),
    "odd": (3, "odd", lambda rng: ("odd", rng.randrange(3), rng.randrange(10))),
    "database": (3, "database", lambda rng: ("database", rng.choice(("down", "up", "up", "commit", "cut")))),
    "jump": (2, "jump", lambda rng: ("jump", rng.choice((-100.0, -5.0, 5.0, 100.0)))),
    "poison": (3, "poison", lambda rng: ("poison", rng.randrange(4))),
    "fatal": (2, "fatal", lambda rng: ("break", rng.randrange(4))),
    "silence": (2, "silent", lambda rng: ("silence",)),
    "operate": (3, "poison", _operate),
    "commands": (3, "poison", lambda rng: ("commands", _pauses(rng))),
}  # fmt: skip

# Where a step says for how many pauses a thread runs.
_PAUSES = {"place": 3, "move": 4, "go_on": 2, "reports": 2, "relay": 3, "operate": 3, "commands": 1}


def simpler(step: Step) -> Sequence[Step]:
    """Return simpler steps: a thread that runs until it waits is simpler than one that is stopped midway."""
    found: list[Step] = []
    for index, value in enumerate(step[1:], 1):
        for other in _smaller(step, index, value):
            found.append((*step[:index], other, *step[index + 1 :]))
    return found


def _smaller(step: Step, index: int, value: Any) -> Sequence[Any]:
    if index == _PAUSES.get(step[0]):
        return [] if value == UNLIMITED else [UNLIMITED]
    if isinstance(value, bool) and step[0] == "move":
        return [False] if value else []
    if step[0] == "deliver" and index == 2 and value != "ok":
        return ["ok"]
    if isinstance(value, int) and not isinstance(value, bool) and value > 0 and step[0] != "operate":
        return [0] if index == 1 else [1] if value > 1 else []
    return []


def simpler_setups(setup: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return setups with one size made simple."""
    return [{**setup, name: value} for name, value in SMALLEST.items() if setup[name] != value]
