"""Makes the database's passwords, once: each in a volume that only those mount who need it.

    owner/password, owner/pgpass   PostgreSQL's first start; the migrator
    producer/pgpass, relay/pgpass  these two apps (and the migrator, which sets them)

The owner's password is in the database from its first start on. If its volume is lost, the data must not get
a new one that nobody can log in with: this stops, and deletes nothing. The apps' passwords can be made anew,
as the migrator sets them at every start. It imports the standard library only and needs no rights of root.
"""

import os
import secrets
import sys
from pathlib import Path

MAJOR = "18"
OWNER = DATABASE = "orders"


class DataNotOurs(Exception):
    """The data volume does not fit; the message says what to do."""


def check_data(data: Path, has_password: bool) -> None:
    """The official image keeps each major version's files in a folder of its name, older ones at the top."""
    found = {path.name for path in data.iterdir()} if data.is_dir() else set()
    foreign = sorted(name for name in found if name.isdigit() and name != MAJOR)
    if foreign or found & {"PG_VERSION", "data"}:
        version = foreign[0] if foreign else "a version before 18"
        raise DataNotOurs(
            f"The data volume holds a database of PostgreSQL {version}; this is {MAJOR}. Nothing was "
            "changed. Dump it with its own version and load it here, or delete it: ./start_project.sh reset"
        )
    if MAJOR in found and not has_password:
        raise DataNotOurs(
            "The data volume holds a database, but the volume with its password is gone. Nothing was "
            "changed. Restore the volume `owner-secret`, or delete the data: ./start_project.sh reset"
        )


def write(path: Path, text: str, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` says."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def make(folder: Path) -> None:
    password = folder / "owner" / "password"
    if not password.exists():
        # PostgreSQL reads it as another user, hence the mode; nobody else mounts this volume.
        write(password, secrets.token_hex(24), 0o444)
    write_pgpass(folder / "owner", OWNER, password.read_text())
    for role in ("producer", "relay"):
        if not (folder / role / "pgpass").exists():
            write_pgpass(folder / role, role, secrets.token_hex(24))


def write_pgpass(folder: Path, user: str, password: str) -> None:
    """libpq ignores such a file when anyone but its owner may read it."""
    write(folder / "pgpass", f"*:*:{DATABASE}:{user}:{password}\n", 0o400)


def main() -> None:
    folder = Path(os.environ.get("SECRETS", "/secrets"))
    try:
        check_data(Path("/data"), (folder / "owner" / "password").exists())
        make(folder)
    except DataNotOurs as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
