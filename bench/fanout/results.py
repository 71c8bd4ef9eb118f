"""What one run found."""

from dataclasses import dataclass, field

from bench.fanout.ceiling import Ceiling
from bench.fanout.laggards import Lagged
from bench.fanout.newcomers import Welcomed
from bench.fanout.rates import Load, Measured
from bench.fanout.reconnect import Reconnected


@dataclass
class Results:
    """By variant. rates: the rounds, by load. memory_kib: of a viewer, by the number of viewers."""

    rates: dict[Load, dict[str, list[Measured]]] = field(default_factory=dict)
    ceiling: dict[str, Ceiling] = field(default_factory=dict)
    memory_kib: dict[str, dict[int, float]] = field(default_factory=dict)
    newcomers: dict[str, Welcomed] = field(default_factory=dict)
    reconnect: dict[str, Reconnected] = field(default_factory=dict)
    laggards: dict[str, Lagged] = field(default_factory=dict)
