"""Alembic's environment: runs the migrations. It needs the database's address and imports no service code."""

import os
from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context

MIGRATIONS_LOCK = 6_001_002  # an arbitrary number, but the same in every migrator


def database_url() -> sa.URL:
    """Return DATABASE_URL with the driver that is installed here. Exits when it is not set."""
    address = os.environ.get("DATABASE_URL")
    if not address:
        raise SystemExit("DATABASE_URL is not set; expected postgresql://user:password@host:port/database")
    return sa.make_url(address).set(drivername="postgresql+psycopg2")


def run_migrations() -> None:
    """Apply the missing migrations in one transaction.

    An advisory lock makes it safe to run two migrators at once: the second waits, then finds nothing to do.
    """
    engine = sa.create_engine(
        database_url(),
        poolclass=sa.NullPool,
        connect_args={"connect_timeout": 10, "options": "-c lock_timeout=30s"},
    )
    with engine.connect() as connection:
        context.configure(connection=connection, transactional_ddl=True)
        with context.begin_transaction():
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATIONS_LOCK})
            context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("These migrations run against a database; --sql is not supported.")
if context.config.config_file_name:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
run_migrations()
