"""Migrations as a one-shot program. It knows the database's address and nothing of the services' code.

Two migrators at once are safe: the advisory lock lets the second wait for the first, and then it finds
nothing to do.
"""

import os
from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context

ANY_ONE_NUMBER = 6_001_002  # the advisory lock's name; it only has to be the same in every migrator


def database_url() -> sa.URL:
    address = os.environ.get("DATABASE_URL")
    if not address:
        raise SystemExit("DATABASE_URL is not set: postgresql://user:password@host:port/database")
    return sa.make_url(address).set(drivername="postgresql+psycopg2")


def migrate() -> None:
    engine = sa.create_engine(
        database_url(),
        poolclass=sa.NullPool,
        connect_args={"connect_timeout": 10, "options": "-c lock_timeout=30s"},
    )
    with engine.connect() as connection:
        context.configure(connection=connection, transactional_ddl=True)
        with context.begin_transaction():
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ANY_ONE_NUMBER})
            context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("these migrations run against a database; --sql is not supported")
if context.config.config_file_name:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
migrate()
