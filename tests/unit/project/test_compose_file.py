"""docker-compose.yml and db/ repeat the lists of services and of database roles: they must agree."""

import re
from pathlib import Path

import pytest

from db import migrate, passwords
from local_stack.services import BROKERS, POSTGRES
from tests.compose.stack import ONE_SHOTS, SERVICES
from tests.project import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()
ROLES_SQL = (ROOT / "db" / "roles.sql").read_text()


def section(name: str) -> str:
    """Return the lines below a top-level key of docker-compose.yml."""
    found = re.search(rf"^{name}:\n((?:\s.*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert found
    return found[1]


def services() -> dict[str, str]:
    """Return the text of each service in docker-compose.yml by its name."""
    _, *parts = re.split(r"^  ([a-z0-9-]+):\n", section("services"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def database_users() -> dict[str, str]:
    """Return the role with which each service connects to the database, by the service's name."""
    urls = {name: re.search(r"postgresql://(\w+)@postgres:", text) for name, text in services().items()}
    return {name: url[1] for name, url in urls.items() if url}


def test_compose_file_has_the_services_of_the_local_stack() -> None:
    assert set(services()) == {*SERVICES, *ONE_SHOTS}


def test_compose_services_connect_with_the_roles_of_the_migrator() -> None:
    assert database_users() == {"migrate": passwords.OWNER, **{role: role for role in migrate.ROLES}}


def test_compose_volumes_are_those_of_the_stores_and_one_for_each_password() -> None:
    volumes = re.findall(r"^  ([a-z0-9-]+):$", section("volumes"), re.MULTILINE)
    assert set(volumes) == {POSTGRES, *BROKERS, "owner-secret", *(f"{role}-secret" for role in migrate.ROLES)}


@pytest.mark.parametrize("service", ["secrets", "migrate"])
def test_compose_mounts_every_password_where_passwords_are_made_and_set(service: str) -> None:
    mounted = set(re.findall(r"-secret:/secrets/(\w+)", services()[service]))
    assert mounted == {"owner", *migrate.ROLES}


def test_roles_sql_creates_the_roles_of_the_migrator() -> None:
    created = re.search(r"ARRAY\[(.*?)\]", ROLES_SQL)
    granted = re.findall(r"\bGRANT .* TO ([\w, ]+)", ROLES_SQL)
    assert created
    assert tuple(re.findall(r"\w+", created[1])) == migrate.ROLES
    assert {role for roles in granted for role in re.findall(r"\w+", roles)} == set(migrate.ROLES)


def test_passwords_are_made_for_the_owner_and_the_roles_of_the_migrator(tmp_path: Path) -> None:
    for name in ("owner", *migrate.ROLES):
        (tmp_path / name).mkdir()
    passwords.make(tmp_path)
    assert {path.parent.name for path in tmp_path.glob("*/pgpass")} == {"owner", *migrate.ROLES}
