"""What initdb has made, before any server runs: with another login our own programs could not even start."""

import stat
from pathlib import Path

from local_stack.paths import Paths
from local_stack.postgres import create_cluster


def test_new_database_asks_everybody_for_a_password_and_is_its_owners(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    create_cluster(paths)
    rules = (paths.postgres / "pg_hba.conf").read_text().splitlines()
    methods = [rule.split()[-1] for rule in rules if rule and not rule.startswith("#")]
    assert len(methods) == 6
    assert set(methods) == {"scram-sha-256"}
    assert stat.S_IMODE(paths.postgres.stat().st_mode) == 0o700
    assert stat.S_IMODE(paths.password.stat().st_mode) == 0o600
