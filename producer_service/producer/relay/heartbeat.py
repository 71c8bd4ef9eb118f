"""The relay's sign of life: a file that it touches in every round."""

import time
from pathlib import Path

MAX_AGE_S = 15


def problem(file: Path) -> str | None:
    """Return why no relay seems to be alive on this machine, or None when one is."""
    try:
        age_s = time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return "No relay has run here."
    if age_s > MAX_AGE_S:
        return f"The last sign of life is {age_s:.0f} s old."
    return None
