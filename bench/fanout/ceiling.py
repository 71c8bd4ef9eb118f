"""The highest rate of single events at which nothing is lost and nobody waits long."""

from dataclasses import dataclass
from pathlib import Path

from bench.fanout.rates import Load, offer
from bench.fanout.servers import Server, Variant, running
from bench.fanout.viewers import Viewers

BEGIN = 25.0
MOST = 10_000.0
LATE_MS = 1000.0
SHARE = 0.95
TRIES = 2


@dataclass(frozen=True)
class Ceiling:
    """rate: events a second, each of them for all viewers."""

    viewers: int
    rate: float

    @property
    def delivered_per_s(self) -> float:
        """How many events all viewers together were sent in a second."""
        return self.viewers * self.rate


def climb(variant: Variant, viewers: int, seconds: float, growth: float, program: Path) -> Ceiling:
    """Raise the rate step by step until the server no longer keeps up, twice: the machine may have been busy once."""
    rate, reached, first = BEGIN, 0.0, 1
    with running(variant) as server:
        while rate <= MOST:
            for _ in range(TRIES):
                try:
                    published = _step(server, Load(viewers, rate), seconds, first, program)
                except RuntimeError:  # it takes no events or no viewers any more
                    return Ceiling(viewers, reached)
                first += abs(published)
                if published > 0:
                    break
            else:
                break
            reached, rate = rate, rate * growth
    return Ceiling(viewers, reached)


def _step(server: Server, load: Load, seconds: float, first: int, program: Path) -> int:
    """Return how many events were published; negative when the server did not keep up."""
    with Viewers(program, server.port, load.viewers, first) as viewers:
        seen, published = offer(server, viewers, load, seconds, first)
    keeps_up = published >= SHARE * load.rate * seconds and seen.p99_ms <= LATE_MS
    return published if seen.is_whole and keeps_up else -published
