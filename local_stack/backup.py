"""Base backups, the archive of PostgreSQL's log, and restores: deploy/postgres/backup.sh with this stack's server."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from local_stack import passwords, ports, postgres
from local_stack.addresses import REQUIRE_AUTH
from local_stack.errors import StackError
from local_stack.lifecycle import stop
from local_stack.lock import exclusive_lock
from local_stack.paths import PROJECT_ROOT, Paths
from local_stack.services import POSTGRES, PRODUCER, RELAY

# The server of a restore listens on a socket of its own; but a port is part of the name.
UNUSED_PORT = 5432
SCRIPT = PROJECT_ROOT / "deploy" / "postgres" / "backup.sh"


def become(paths: Paths, verb: str, folder: Path) -> NoReturn:
    """Go on as `backup.sh backup` or `archive`, so that the terminal and an interrupt are its own.

    Raises StackError when nothing has been started here yet."""
    if not paths.ports.exists():
        raise StackError("Nothing has been started here yet.")
    port = ports.load(paths.ports)[POSTGRES]
    os.execve("/bin/sh", ["/bin/sh", str(SCRIPT), verb, str(folder)], _environment(paths, port))


def restore(paths: Paths, folder: Path, to: str | None, say: Callable[[str], None]) -> int:
    """Stop what uses the database, and put it back as it was at a time, or as late as the archive goes.

    Nothing is stopped before the backup is known to be whole. The present data is kept beside it. Return the exit code:
    1 when it could not be done, and nothing was changed. Raises StackError when the folder is none, and when the time
    is empty, as of a variable that is not set."""
    if to == "":
        raise StackError("--to needs a time such as 2026-11-26T16:20:00Z.")
    if not folder.is_dir():
        raise StackError(f"There is no folder {folder}.")
    paths.create_folders()
    script = [*postgres.as_non_root(), "/bin/sh", str(SCRIPT)]
    time = [to] if to else []
    with exclusive_lock(paths.lock, say):
        environment = _environment(paths, UNUSED_PORT)
        if _run([*script, "check", str(folder), *time], environment):
            return 1
        stop.stop_services(paths, [PRODUCER, RELAY, POSTGRES])
        restored = postgres.restored(paths)
        if _run([*script, "restore", str(folder), str(restored), *time], environment):
            return 1
        kept = paths.home / f"postgres.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        replaced = paths.postgres.exists()
        with stop.signals_ignored():  # between the two there is no database
            if replaced:
                paths.postgres.rename(kept)
            restored.rename(paths.postgres)
        if replaced:
            say(f"kept      {kept}: what was there before; delete it when you do not need it")
    return 0


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the script, and return its exit code. Interrupted, wait until it has ended its server."""
    process = subprocess.Popen(command, env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        with stop.signals_ignored():
            process.terminate()
            process.wait()
        raise


def _environment(paths: Paths, port: int) -> Mapping[str, str]:
    """Return the variables with which libpq logs in as the database's owner, who may replicate."""
    return {
        **os.environ,
        "PATH": f"{postgres.binaries()}:{os.environ.get('PATH', os.defpath)}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": postgres.USER,
        "PGDATABASE": postgres.DATABASE,
        "PGPASSWORD": passwords.load_or_create_owner_password(paths),
        "PGREQUIREAUTH": REQUIRE_AUTH,
    }
