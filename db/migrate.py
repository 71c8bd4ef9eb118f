"""The migrator's one shot: the schema, then the apps' roles, their rights and their passwords.

Everything here may be repeated, so it runs at every start.
"""

import os
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

HERE = Path(__file__).parent
ROLES = ("producer", "relay")
ANY_OTHER_NUMBER = 6_001_003  # than the one in env.py


def upgrade() -> None:
    command.upgrade(Config(HERE / "alembic.ini"), "head")


def grant(engine: sa.Engine) -> None:
    """Rights are taken and given in one transaction: an app that is at work notices nothing. Two migrators
    at once would change the same rows of the catalogue: the second waits."""
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ANY_OTHER_NUMBER})
        connection.exec_driver_sql((HERE / "roles.sql").read_text().replace("%", "%%"))


def set_passwords(engine: sa.Engine, folder: Path) -> None:
    """From the files that libpq reads in the apps (PGPASSFILE): host:port:database:user:password."""
    with engine.begin() as connection:
        for role in ROLES:
            password = (folder / role / "pgpass").read_text().strip().rsplit(":", 1)[1]
            connection.execute(sa.text(f"ALTER ROLE {role} PASSWORD :password"), {"password": password})


def main() -> None:
    address = sa.make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg2")
    engine = sa.create_engine(address, poolclass=sa.NullPool, connect_args={"connect_timeout": 10})
    upgrade()
    grant(engine)
    set_passwords(engine, Path(os.environ.get("SECRETS", "/secrets")))


if __name__ == "__main__":
    main()
