"""SQL, YAML, local_stack and the Dockerfile repeat the roles of db/roles.py and the names of db/passwords.py."""

import re
from types import ModuleType

from local_stack import passwords as native
from local_stack import postgres
from tests.project import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "db" / "Dockerfile").read_text()
# Without comments; one line for each statement, whatever its breaks were.
STATEMENTS = re.sub(r"--.*", "", (ROOT / "db" / "roles.sql").read_text()).replace("\n", " ").split(";")


def test_roles_sql_creates_the_roles(roles: tuple[str, ...]) -> None:
    (created,) = re.findall(r"ARRAY\[(.+?)\] LOOP", ";".join(STATEMENTS))
    assert tuple(re.findall(r"'(\w+)'", created)) == roles


def test_roles_sql_grants_to_these_roles_only(roles: tuple[str, ...]) -> None:
    granted = [
        re.findall(r"\w+", names)
        for statement in STATEMENTS
        for names in re.findall(r"GRANT .+? TO ([\w, ]+)", statement)
    ]
    assert {name for names in granted for name in names} == set(roles)


def test_roles_sql_revokes_all_tables_from_every_role(roles: tuple[str, ...]) -> None:
    revoked = [each.split(" FROM ")[1] for each in STATEMENTS if "REVOKE ALL ON ALL TABLES" in each]
    assert [re.findall(r"\w+", each) for each in revoked] == [list(roles)] * 2  # one for the schema `rebuild`


def test_compose_connects_as_the_owner_and_the_roles(passwords: ModuleType, roles: tuple[str, ...]) -> None:
    addresses = re.findall(r"DATABASE_URL: postgresql://(\w+)@postgres:5432/(\w+)", COMPOSE)
    assert sorted(addresses) == sorted((user, passwords.DATABASE) for user in (passwords.OWNER, *roles))


def test_compose_has_a_secret_volume_for_the_owner_and_each_role(roles: tuple[str, ...]) -> None:
    folders = {"owner", *roles}
    assert set(re.findall(r"^  (\w+)-secret:$", COMPOSE, re.MULTILINE)) == folders
    mounts = set(re.findall(r"(\w+)-secret:/secrets/(\w+)", COMPOSE))
    assert mounts == {(name, name) for name in folders}
    assert set(re.findall(r"PGPASSFILE: /secrets/(\w+)/pgpass", COMPOSE)) == folders
    assert set(re.findall(r"/secrets/(\w+)", DOCKERFILE)) == folders


def test_compose_creates_the_database_of_the_owner(passwords: ModuleType) -> None:
    assert f"POSTGRES_USER: {passwords.OWNER}\n" in COMPOSE
    assert f"POSTGRES_DB: {passwords.DATABASE}\n" in COMPOSE
    assert re.findall(r"image: postgres:(\d+)", COMPOSE) == [passwords.POSTGRES_MAJOR]


def test_local_stack_has_the_same_roles_and_database(passwords: ModuleType, roles: tuple[str, ...]) -> None:
    assert roles == native.ROLES
    assert (passwords.OWNER, passwords.DATABASE) == (postgres.USER, postgres.DATABASE)
