"""The passwords of the database, each in a file that only its owner may read.

As in containers (db/passwords.py): the apps log in with roles that may only do what db/roles.sql grants. libpq
reads their passwords from the files; the migrator sets them in the database at every start, so a data folder
that was made when the apps still were the owner gets its roles at the next start.
"""

import secrets
from pathlib import Path

from local_stack.paths import Paths, write_private
from local_stack.services import CONNECT, PRODUCER, PROJECTOR, RELAY

ROLES = (PRODUCER, RELAY, PROJECTOR, CONNECT)


def load_or_create_owner_password(paths: Paths) -> str:
    """Return the password of the database's owner, whom initdb creates with it."""
    if not paths.password.exists():
        write_private(paths.password, secrets.token_hex(16) + "\n")
    return paths.password.read_text().strip()


def create_role_passwords(paths: Paths, database: str) -> None:
    """Write a pgpass file, `host:port:database:user:password`, for each role that has none."""
    for role in ROLES:
        file = pgpass(paths, role)
        if not file.exists():
            # Not `parents=True`, which gives parents another mode.
            for folder in (paths.secrets, file.parent):
                folder.mkdir(mode=0o700, exist_ok=True)
            write_private(file, f"*:*:{database}:{role}:{secrets.token_hex(24)}\n")
    # Kafka Connect takes the file's whole content for the password.
    write_private(connect_password(paths), pgpass(paths, CONNECT).read_text().strip().rpartition(":")[2])


def pgpass(paths: Paths, role: str) -> Path:
    """Return the file that a role's PGPASSFILE names."""
    return paths.secrets / role / "pgpass"


def connect_password(paths: Paths) -> Path:
    """Return the file from which Kafka Connect reads the password of its role."""
    return paths.secrets / CONNECT / "password"
