"""The relay's sign of life: a file that it writes again and again, with the lag of its read-back."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

MAX_AGE_S = 15
EVERY_S = 1.0
# A proof that is asked for now is there a moment later: that is no lag.
SHOWN_FROM_S = 1.0


class Heartbeat:
    """Writes the file, at most once in EVERY_S."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic):
        self._file, self._clock = file, clock
        self._written_at = float("-inf")

    def forget_the_last_relay(self) -> None:
        """Remove the sign of life of a relay that ran before: this one has not proven anything yet."""
        self._file.unlink(missing_ok=True)

    def beat(self, lag: Mapping[int, float], skipped: int, away_s: float = 0) -> None:
        """Tell that the relay is alive, of each partition for how long it has lagged, and what was skipped.

        away_s: for how long no partition has been read back at all.
        """
        if self._clock() - self._written_at < EVERY_S:
            return
        self._written_at = self._clock()
        new = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        new.write_text(json.dumps({"lag_s": lag, "skipped": skipped, "away_s": away_s}))
        new.replace(self._file)  # a reader sees the old one or the new one


def problem(file: Path) -> str | None:
    """Return why no relay seems to be alive on this machine, or None when one is."""
    try:
        age_s = time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return "No relay has run here."
    if age_s > MAX_AGE_S:
        return f"The last sign of life is {age_s:.0f} s old."
    return None


def report(file: Path) -> str:
    """Return what the relay told last, in one line for each partition that lags."""
    told = json.loads(file.read_text())
    lines = [
        f"Partition {number} has not been read back for {lag_s:.0f} s; its orders are held."
        for number, lag_s in sorted(told["lag_s"].items())
        if lag_s >= SHOWN_FROM_S
    ]
    if told["away_s"] >= SHOWN_FROM_S:
        lines = [f"The topic has not been read back for {told['away_s']:.0f} s; all orders are held."]
    if told["skipped"]:
        lines.append(f"{told['skipped']} messages without an event id were skipped.")
    return "\n".join(lines or ["All partitions are read back."])
