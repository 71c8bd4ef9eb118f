"""db/passwords.py: the passwords are created once, and never for data that already has another."""

import stat
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def volumes(tmp_path: Path, roles: tuple[str, ...]) -> Path:
    for name in ("owner", *roles):
        (tmp_path / name).mkdir()
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_each_role_has_its_own_password(passwords: ModuleType, volumes: Path, roles: tuple[str, ...]) -> None:
    passwords.create_passwords(volumes)
    found = contents(volumes)
    assert set(found) == {
        "owner/password",
        "owner/pgpass",
        "connect/password",
        *(f"{role}/pgpass" for role in roles),
    }
    assert found["connect/pgpass"] == f"*:*:orders:connect:{found['connect/password']}\n"
    assert found["owner/pgpass"] == f"*:*:orders:orders:{found['owner/password']}\n"
    secrets = {text.strip().rsplit(":", 1)[-1] for text in found.values()}
    assert len(secrets) == 1 + len(roles)
    assert all(len(secret) >= 32 for secret in secrets)


def test_second_run_changes_no_password(passwords: ModuleType, volumes: Path) -> None:
    passwords.create_passwords(volumes)
    first = contents(volumes)
    passwords.create_passwords(volumes)
    assert contents(volumes) == first


def test_pgpass_files_are_readable_by_their_owner_only(passwords: ModuleType, volumes: Path) -> None:
    """libpq ignores others."""
    passwords.create_passwords(volumes)
    for path in volumes.glob("*/pgpass"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o400


def test_lost_password_of_an_app_is_replaced(passwords: ModuleType, volumes: Path) -> None:
    passwords.create_passwords(volumes)
    before = contents(volumes)
    (volumes / "relay" / "pgpass").unlink()
    passwords.create_passwords(volumes)
    after = contents(volumes)
    assert after.pop("relay/pgpass") != before.pop("relay/pgpass")
    assert after == before


@pytest.mark.parametrize(("names", "has_password"), [([], False), (["18"], True), ([], True)])
def test_usable_data_is_accepted(
    passwords: ModuleType, tmp_path: Path, names: list[str], has_password: bool
) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    passwords.check_data(tmp_path, has_password)


def test_data_without_its_password_is_refused(passwords: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "18").mkdir()
    with pytest.raises(passwords.UnusableData, match="password is gone"):
        passwords.check_data(tmp_path, has_password=False)


@pytest.mark.parametrize("name", ["17", "19", "PG_VERSION", "data"])
def test_data_of_another_version_is_refused(passwords: ModuleType, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(passwords.UnusableData, match="Nothing was changed"):
        passwords.check_data(tmp_path, has_password=True)
