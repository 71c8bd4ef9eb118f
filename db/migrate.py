"""The migrator: brings the schema up to date, then sets the rights and passwords of the apps' roles.

Every step can be repeated, so it runs at every start.
"""

import os
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from capture import NoLogicalDecoding, prepare  # type: ignore[import-not-found]  # as roles
from roles import ROLES  # type: ignore[import-not-found]  # found when run as a script: this folder is no package

HERE = Path(__file__).parent
ROLES_LOCK = 6_001_003  # arbitrary, but not the number of the migrations' lock in env.py


def upgrade() -> None:
    """Apply the migrations that are missing."""
    command.upgrade(Config(HERE / "alembic.ini"), "head")


def restore_layout(engine: sa.Engine) -> None:
    """Put the one row of `layout` back if somebody has deleted it: nothing is published without it.

    It says what Kafka's clients know, as before the topic was grown for the first time: as many as the topic has.
    """
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO layout DEFAULT VALUES ON CONFLICT DO NOTHING"))


def grant(engine: sa.Engine) -> None:
    """Create the roles and set their rights (roles.sql).

    All rights are revoked and granted again in one transaction, so a running app notices nothing. The lock
    lets a second migrator wait, as both would change the same rows of the system catalogue.
    """
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ROLES_LOCK})
        connection.exec_driver_sql((HERE / "roles.sql").read_text().replace("%", "%%"))


def set_passwords(engine: sa.Engine, folder: Path) -> None:
    """Set each role's password to the one in its pgpass file, which libpq reads in the app (PGPASSFILE).

    A line of that file is host:port:database:user:password. A role that has no file yet, as when an older release made
    the files, gets no password, and so cannot log in.
    """
    with engine.begin() as connection:
        for role in ROLES:
            if not (folder / role / "pgpass").exists():
                continue
            password = (folder / role / "pgpass").read_text().strip().rsplit(":", 1)[1]
            connection.execute(sa.text(f"ALTER ROLE {role} PASSWORD :password"), {"password": password})


def main() -> None:
    """Migrate the database at DATABASE_URL, with the passwords in the folder SECRETS. Exits with one line of error."""
    address = sa.make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg2")
    engine = sa.create_engine(address, poolclass=sa.NullPool, connect_args={"connect_timeout": 10})
    upgrade()
    restore_layout(engine)
    grant(engine)
    set_passwords(engine, Path(os.environ.get("SECRETS", "/secrets")))
    try:
        prepare(engine, os.environ.get("PUBLISHER", "direct"), os.environ.get("CDC_SLOT", "outbox"))
    except NoLogicalDecoding as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
