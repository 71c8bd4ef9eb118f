"""Random plans: sizes, which faults this run has (a few only: they would hide one another), and the steps."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.simulation.runner import Plan, Step
from tests.simulation.stream.scheduler import UNLIMITED

FAULTS = (
    "cutback", "recreate", "retention", "grow", "outage", "leader", "restart", "lag", "odd", "flood", "silent",
)  # fmt: skip
ROOMS = (150, 401, 1500, 100_000, 100_001)
SMALLEST: Mapping[str, Any] = {
    "partitions": 1,
    "replicas": 1,
    "fetch": 1,
    "ring_events": 1000,
    "ring_bytes": 1 << 20,
    "replay_bytes": 1 << 20,
    "orders_remembered": 1000,
    "buffer_bytes": 4000,
    "padding": 0,
}


def random_plan(rng: random.Random) -> Plan:
    """Return a random plan."""
    setup = {
        "partitions": rng.choice((1, 1, 2, 3)),
        "replicas": rng.choice((1, 1, 2, 3)),
        "fetch": rng.choice((1, 2, 5)),
        "ring_events": rng.choice((3, 6, 12, 1000)),
        "ring_bytes": rng.choice((6000, 1 << 20, 1 << 20)),
        "replay_bytes": rng.choice((3000, 1 << 20)),
        "orders_remembered": rng.choice((3, 1000)),
        "buffer_bytes": rng.choice((300, 1500, 4000)),
        "padding": rng.choice((0, 0, 300)),
    }
    faults = {fault for fault in FAULTS if rng.random() < 0.25}
    if "cutback" in faults:
        # A reader that is opened anew without a leader epoch cannot find out that its log was cut back and grew again.
        faults -= {"retention", "grow", "silent"}
        setup["partitions"] = 1
    weights = {name: weight for name, (weight, fault, _) in STEPS.items() if fault is None or fault in faults}
    names = rng.choices([*weights], [*weights.values()], k=rng.randint(20, 90))
    opening: list[Step] = [("produce", 0, rng.randint(0, 8))]
    opening += [("run", replica, "tail", UNLIMITED) for replica in range(setup["replicas"])]
    steps = [(name, *STEPS[name][2](rng)) for name in names]
    # Orders move to other partitions, but not where a reader may begin behind the signpost of one partition and before
    # the end of another: it cannot know of that.
    setup["moves"] = "grow" in faults and not faults & {"retention", "restart", "lag", "leader"}
    if setup["moves"]:
        for _ in range(2):
            steps.insert(rng.randrange(len(steps)), ("grow",))
    return Plan(setup, [*opening, *steps])


def _pauses(rng: random.Random) -> int:
    """Return for how long a thread runs: mostly until it waits."""
    return UNLIMITED if rng.random() < 0.6 else rng.randint(1, 30)


def _run(rng: random.Random) -> Step:
    kind = rng.choices(("tail", "fanout", "freshness", "replay 1", "replay 2"), (5, 5, 1, 2, 1))[0]
    return rng.randrange(3), kind, _pauses(rng)


def _race(rng: random.Random) -> Step:
    return rng.randrange(3), "tail", "fanout", rng.choice((30, 150)), rng.randint(2, 30), True


Arguments = Callable[[random.Random], Step]
STEPS: dict[str, tuple[int, str | None, Arguments]] = {
    "produce": (12, None, lambda rng: (rng.randrange(30), rng.choice((1, 1, 2, 5)))),
    "repeat": (2, None, lambda rng: (rng.randrange(30),)),
    "run": (40, None, _run),
    "requests": (8, None, lambda rng: (rng.randrange(4), _pauses(rng))),
    "sync": (5, None, lambda rng: (rng.randrange(3),)),
    "clock": (8, None, lambda rng: (rng.choice((0.03, 0.03, 1.1, 3.0, 11.0)),)),
    "page": (3, None, lambda rng: (rng.randrange(3), _pauses(rng))),
    "curl": (2, None, lambda rng: (rng.randrange(3), rng.choice(ROOMS), rng.random() < 0.7, _pauses(rng))),
    "since": (2, None, lambda rng: (rng.randrange(3), rng.choice((0.0, 1.0, 5.0, 30.0)), _pauses(rng))),
    "connect": (
        12,
        None,
        lambda rng: (
            rng.randrange(8), rng.randrange(3), rng.random() < 0.5, rng.choice(ROOMS), rng.random() < 0.7,
            _pauses(rng),
        ),
    ),
    "history": (8, None, lambda rng: (rng.randrange(8), rng.randrange(3), _pauses(rng))),
    "read": (14, None, lambda rng: (rng.randrange(8), rng.choice((50, 300, 1 << 20, 1 << 20)))),
    "cut": (4, None, lambda rng: (rng.randrange(8), rng.choice(("reset", "half-close")))),
    "odd": (5, "odd", lambda rng: (rng.randrange(3), rng.randrange(10))),
    "marker": (4, "odd", lambda rng: (rng.randrange(3),)),
    "cutback": (2, "cutback", lambda rng: (rng.randrange(3), rng.randint(1, 5), rng.random() < 0.3)),
    "republish": (2, "cutback", lambda rng: (rng.randint(1, 4),)),
    "retention": (3, "retention", lambda rng: (rng.randrange(3), rng.randint(1, 6))),
    "grow": (1, "grow", lambda rng: ()),
    "recreate": (2, "recreate", lambda rng: (rng.randint(1, 3), rng.randint(0, 8))),
    "kafka": (3, "outage", lambda rng: (rng.random() < 0.4,)),
    "leader": (4, "leader", lambda rng: (rng.randrange(3), rng.choice(("", "", "error", "-1001")))),
    "restart": (2, "restart", lambda rng: (rng.randrange(3),)),
    "lag": (4, "lag", lambda rng: (rng.randrange(3), rng.randrange(3), rng.random() < 0.5)),
    "race": (2, "flood", _race),
    "silence": (2, "silent", lambda rng: ()),
    "join": (2, "odd", lambda rng: (rng.randrange(3), rng.randint(1, 40))),
}  # fmt: skip


def simpler(step: Step) -> Sequence[Step]:
    """Return simpler steps: a thread that runs until it waits is simpler than one that is stopped midway."""
    name, arguments = step[0], step[1:]
    found: list[Step] = []
    for index, value in enumerate(arguments):
        for other in _smaller(name, index, value):
            found.append((name, *arguments[:index], other, *arguments[index + 1 :]))
    return found


def _smaller(name: str, index: int, value: Any) -> Sequence[Any]:
    if name in ("run", "requests", "page", "history", "curl", "since", "connect") and index == _last(name):
        return [] if value == UNLIMITED else [UNLIMITED]
    if value is False or name in ("race", "clock", "join", "since"):
        return []
    if isinstance(value, bool):
        return [False]
    if name in ("connect", "curl") and value in ROOMS:
        return [] if value == 100_000 else [100_000]
    if isinstance(value, int) and value > 0:
        return [0, value // 2, value - 1][: min(value, 3)]
    return []


def _last(name: str) -> int:
    return {"run": 2, "requests": 1, "page": 1, "history": 2, "curl": 3, "since": 2, "connect": 5}[name]


def simpler_setups(setup: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return setups with one size made simple."""
    return [{**setup, name: value} for name, value in SMALLEST.items() if setup[name] != value]
