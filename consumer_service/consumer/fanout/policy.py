"""How often viewers are written to, and how long a slow one is kept."""

from dataclasses import dataclass

SLICE_BYTES = 256 << 10


@dataclass(frozen=True)
class FanoutPolicy:
    """flush_window_s: for how long events may be gathered. heartbeat_s: how often the status is sent.

    stall_s: how long a viewer may accept nothing before it is cut. buffer_bytes: how much is encoded at once
    for one lagging viewer.
    """

    flush_window_s: float
    heartbeat_s: float
    stall_s: float
    buffer_bytes: int = SLICE_BYTES
