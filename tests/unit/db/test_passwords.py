"""db/passwords.py, which runs before there is a database."""

import stat
from pathlib import Path

import pytest

from db import passwords


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    for name in ("owner", "producer", "relay"):
        (tmp_path / name).mkdir()
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_each_role_gets_a_password_of_its_own(volumes: Path) -> None:
    passwords.make(volumes)
    found = contents(volumes)
    assert set(found) == {"owner/password", "owner/pgpass", "producer/pgpass", "relay/pgpass"}
    assert found["owner/pgpass"] == f"*:*:orders:orders:{found['owner/password']}\n"
    secrets = {text.strip().rsplit(":", 1)[-1] for text in found.values()}
    assert len(secrets) == 3
    assert all(len(secret) >= 32 for secret in secrets)


def test_second_run_changes_no_password(volumes: Path) -> None:
    passwords.make(volumes)
    first = contents(volumes)
    passwords.make(volumes)
    assert contents(volumes) == first


def test_pgpass_files_have_the_mode_that_libpq_demands(volumes: Path) -> None:
    passwords.make(volumes)
    for name in ("owner", "producer", "relay"):
        assert stat.S_IMODE((volumes / name / "pgpass").stat().st_mode) == 0o400


def test_lost_password_of_an_app_is_replaced(volumes: Path) -> None:
    passwords.make(volumes)
    before = contents(volumes)
    (volumes / "relay" / "pgpass").unlink()
    passwords.make(volumes)
    after = contents(volumes)
    assert after.pop("relay/pgpass") != before.pop("relay/pgpass")
    assert after == before


@pytest.mark.parametrize(("names", "has_password"), [([], False), (["18"], True), ([], True)])
def test_data_folder_of_this_version_is_accepted(
    tmp_path: Path, names: list[str], has_password: bool
) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    passwords.check_data(tmp_path, has_password)


def test_data_folder_whose_password_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "18").mkdir()
    with pytest.raises(passwords.DataNotOurs, match="password is gone"):
        passwords.check_data(tmp_path, has_password=False)


@pytest.mark.parametrize("name", ["17", "19", "PG_VERSION", "data"])
def test_data_folder_of_another_version_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(passwords.DataNotOurs, match="Nothing was changed"):
        passwords.check_data(tmp_path, has_password=True)
