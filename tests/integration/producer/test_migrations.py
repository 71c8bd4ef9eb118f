"""The migrations in db/ against the models, and as a command."""

import ast
import subprocess
import sys

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from producer.domain.record import Record
from tests.project import ROOT

DB = ROOT / "db"


def upgrade(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run all migrations that have not been run, with nothing but this environment."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=DB,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_models_and_migrations_agree(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Record.metadata) == []


def test_computed_columns_of_models_and_migrations_agree(engine: sa.Engine) -> None:
    """Alembic does not compare the expressions of computed columns, so this test does."""
    (total,) = [c for c in sa.inspect(engine).get_columns("orders") if c["name"] == "total"]
    assert total["computed"]["persisted"]
    assert total["computed"]["sqltext"] == "(unit_price * (quantity)::numeric)"


def test_second_migration_changes_nothing(database_url: str) -> None:
    done = upgrade({"DATABASE_URL": database_url})
    assert done.returncode == 0
    assert "Running upgrade" not in done.stderr


def test_migration_without_a_database_url_names_the_setting() -> None:
    done = upgrade({})
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("DATABASE_URL is not set")


def test_migrations_import_no_service_code() -> None:
    for path in DB.rglob("*.py"):
        imported = {
            name for node in ast.walk(ast.parse(path.read_text())) for name in imported_packages(node)
        }
        assert not imported & {"producer", "consumer"}, path


def imported_packages(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    return [(node.module or "").split(".")[0]] if isinstance(node, ast.ImportFrom) else []


def test_publication_has_only_new_rows_that_may_go_directly(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        publication = connection.execute(
            sa.text(
                "SELECT tablename, rowfilter, pubinsert, pubupdate, pubdelete, pubtruncate"
                " FROM pg_publication_tables AS tables JOIN pg_publication USING (pubname)"
                " WHERE pubname = 'outbox'"
            )
        ).all()
    assert [tuple(row) for row in publication] == [("outbox", "direct", True, False, False, False)]
