"""Creates the database's passwords once, each in its own volume, mounted only where it is needed.

    owner/password, owner/pgpass   for PostgreSQL's first start and for the migrator
    producer/pgpass, relay/pgpass, projector/pgpass
                                    for the app of that name, and for the migrator, which sets its password
    connect/pgpass, connect/password   the same for Kafka Connect, with the password alone for its connector

The owner's password is stored in the database at its first start. If the volume that holds it is lost, a new
password would lock everybody out of the data, so this program stops instead and deletes nothing. The apps'
passwords can be replaced at any time, as the migrator sets them at every start.

It imports only the standard library and does not need to run as root.
"""

import os
import secrets
import sys
from pathlib import Path

from roles import ROLES  # type: ignore[import-not-found]  # found when run as a script: this folder is no package

POSTGRES_MAJOR = "18"
OWNER = DATABASE = "orders"
CONNECT = "connect"


class UnusableData(Exception):
    """This PostgreSQL cannot use the data volume; the message says what to do."""


def check_data(data: Path, has_password: bool) -> None:
    """Check that the data volume is empty or usable. has_password: whether the owner's password exists.

    The official image keeps the files of a major version in a folder named after it; before version 18 it
    kept them at the top of the volume. Raises UnusableData when the data is of another version or its
    password is gone.
    """
    found = {path.name for path in data.iterdir()} if data.is_dir() else set()
    others = sorted(name for name in found if name.isdigit() and name != POSTGRES_MAJOR)
    if others or found & {"PG_VERSION", "data"}:
        version = others[0] if others else "a version before 18"
        raise UnusableData(
            f"The data volume holds a database of PostgreSQL {version}, but this is PostgreSQL {POSTGRES_MAJOR}. "
            "Nothing was changed. Dump the data with its own version and load it here, or delete it: "
            "./start_project.sh reset"
        )
    if POSTGRES_MAJOR in found and not has_password:
        raise UnusableData(
            "The data volume holds a database, but the volume with its password is gone. Nothing was "
            "changed. Restore the volume `owner-secret`, or delete the data: ./start_project.sh reset"
        )


def create_passwords(folder: Path) -> None:
    """Create the passwords that do not exist yet; `folder` has a subfolder for the owner and each role."""
    password = folder / "owner" / "password"
    if not password.exists():
        # PostgreSQL reads this file as another user, hence the mode; no other service mounts this volume.
        write_atomically(password, secrets.token_hex(24), 0o444)
    write_pgpass(folder / "owner", OWNER, password.read_text())
    for role in ROLES:
        if not (folder / role / "pgpass").exists():
            write_pgpass(folder / role, role, secrets.token_hex(24))
    # Kafka Connect runs as the user of its image and takes the file's whole content for the password.
    pgpass = (folder / CONNECT / "pgpass").read_text()
    write_atomically(folder / CONNECT / "password", pgpass.strip().rsplit(":", 1)[1], 0o444)


def write_pgpass(folder: Path, user: str, password: str) -> None:
    """Write the file that libpq takes the password from; libpq ignores a file that others can read."""
    write_atomically(folder / "pgpass", f"*:*:{DATABASE}:{user}:{password}\n", 0o400)


def write_atomically(path: Path, text: str, mode: int) -> None:
    """Write a file completely or not at all; it never has wider permissions than `mode`."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def main() -> None:
    """Check /data, then create the passwords in the folder SECRETS. Exits with one line of error."""
    folder = Path(os.environ.get("SECRETS", "/secrets"))
    try:
        check_data(Path("/data"), (folder / "owner" / "password").exists())
        create_passwords(folder)
    except UnusableData as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
