"""Create the project's own virtual environment if needed, then run the command line in it.

This runs on whatever Python the machine has, so it and the modules it needs import the standard library only.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local_stack.console import exit_code, say
from local_stack.errors import StackError
from local_stack.lock import exclusive_lock
from local_stack.paths import DEFAULT_HOME, PROJECT_ROOT

# To inspect or stop a running stack, the environment that it was started from will do, even if outdated.
WITHOUT_START = {
    "stop",
    "status",
    "logs",
    "partitions",
    "parked",
    "requeue",
    "discard",
    "ledger",
    "backup",
    "archive",
}
REQUIREMENTS = PROJECT_ROOT / "local_stack" / "requirements.txt"


def ensure_venv(home: Path) -> None:
    """Create the environment unless it is complete and made from the present lock file."""
    venv = home / "venv"
    if not _complete(venv):
        home.mkdir(mode=0o700, exist_ok=True)
        with exclusive_lock(home / "venv.lock", say):
            if not _complete(venv):
                _build(home, venv)


def _complete(venv: Path) -> bool:
    stamp = venv / "made-from"
    return (venv / "bin" / "python").exists() and stamp.exists() and stamp.read_text() == _lock_digest()


def _lock_digest() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


def _build(home: Path, venv: Path) -> None:
    """Build the environment beside the old one, which may be in use, and replace that only when complete."""
    say("installing the Python packages into .local/venv")
    part, log = home / "venv.part", home / "venv.log"
    try:
        _run([sys.executable, "-m", "venv", "--clear", str(part)], log)
        _run([str(part / "bin" / "python"), *_PIP, str(REQUIREMENTS)], log)
        (part / "made-from").write_text(_lock_digest())
        shutil.rmtree(venv, ignore_errors=True)
        part.rename(venv)
    finally:
        shutil.rmtree(part, ignore_errors=True)


_PIP = (
    *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2"),
    *("--only-binary", ":all:", "--require-hashes", "--requirement"),
)


def _run(command: Sequence[str], log: Path) -> None:
    with log.open("wb") as out:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    if done.returncode:
        raise StackError(f"The Python packages could not be installed: {_reason(log)} (the whole log: {log})")


def _reason(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() or ["no output"]
    if any("connection" in line.lower() for line in lines):
        return "the package index cannot be reached"
    return next((line for line in lines if line.startswith("ERROR")), lines[-1])


def main() -> int:
    arguments, home = sys.argv[1:], DEFAULT_HOME
    python = home / "venv" / "bin" / "python"
    if not WITHOUT_START & set(arguments):
        ensure_venv(home)
    elif not python.exists():
        say("nothing has been started here yet")
        return 0 if "stop" in arguments else 2 if "ledger" in arguments else 1
    os.execv(python, [str(python), "-m", "local_stack", *arguments])


if __name__ == "__main__":
    sys.exit(exit_code(main))
