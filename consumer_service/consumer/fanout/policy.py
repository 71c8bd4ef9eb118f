"""How often viewers are written to, and how much a slow one may cost."""

from dataclasses import dataclass

SLICE_BYTES = 256 << 10
SMALLEST_SLICE_BYTES = 16 << 10
# To live viewers, in one step: what a crowd of thousands takes at once. Smaller slices serve newcomers sooner, and are
# too few for the crowd: 5,000 viewers of 500 events/s were 6 s behind with a third of it, and are 2 s (bench.fanout).
LIVE_BYTES = 160 << 20
SMALLEST_LIVE_SLICE_BYTES = 32 << 10
LAGGING_BYTES = 32 << 20  # what all lagging viewers together are kept


@dataclass(frozen=True)
class FanoutPolicy:
    """flush_window_s: for how long events may be gathered. heartbeat_s: how often the status is sent.

    stall_s: how long a viewer may accept nothing before it is cut. buffer_bytes: how much is encoded at once
    for one lagging viewer, at most.
    """

    flush_window_s: float
    heartbeat_s: float
    stall_s: float
    buffer_bytes: int = SLICE_BYTES

    def live_slice_bytes(self, live: int) -> int:
        """Return how much to send in one step to this many live viewers, so that a step does not last."""
        return min(SLICE_BYTES, max(SMALLEST_LIVE_SLICE_BYTES, LIVE_BYTES // max(1, live)))

    def lagging_slice_bytes(self, lagging: int) -> int:
        """Return how much to encode at once while this many viewers lag, so that all together are bounded."""
        share = LAGGING_BYTES // max(1, lagging)
        return min(self.buffer_bytes, max(SMALLEST_SLICE_BYTES, share))
