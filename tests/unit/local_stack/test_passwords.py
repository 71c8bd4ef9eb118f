import stat
from pathlib import Path

from local_stack.passwords import ROLES, create_role_passwords, pgpass
from local_stack.paths import Paths


def test_each_role_gets_its_own_password_once_in_a_private_file(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    create_role_passwords(paths, "orders")
    first = {role: pgpass(paths, role).read_text() for role in ROLES}
    create_role_passwords(paths, "orders")
    assert {role: pgpass(paths, role).read_text() for role in ROLES} == first
    assert len({text.rpartition(":")[2] for text in first.values()}) == len(ROLES)
    for role in ROLES:
        assert stat.S_IMODE(pgpass(paths, role).stat().st_mode) == 0o600
        assert stat.S_IMODE(pgpass(paths, role).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(paths.secrets.stat().st_mode) == 0o700
