"""The keeper's sign of life: a file that it writes in each round, with what is wrong."""

import json
import os
import time
from pathlib import Path

MAX_AGE_S = 15


def beat(file: Path, problem: str | None) -> None:
    """Tell that the keeper is alive, and what is wrong with what it keeps."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.write_text(json.dumps({"problem": problem}))
    new.replace(file)  # a reader sees the old one or the new one


def problem(file: Path) -> str | None:
    """Return why no keeper seems to be alive on this machine, or None when one is."""
    try:
        age_s = time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return "No keeper has run here."
    return f"The last sign of life is {age_s:.0f} s old." if age_s > MAX_AGE_S else None


def report(file: Path) -> str:
    """Return what the keeper told last: `ok`, or `degraded` and why."""
    told = json.loads(file.read_text())["problem"]
    return f"degraded {told}" if told else "ok"
