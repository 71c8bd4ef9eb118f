import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.paths import Paths, write_private


@pytest.fixture(autouse=True)
def wide_umask() -> Iterator[None]:
    """As where everybody may read by default."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_folders_of_a_stack_are_for_their_owner_only(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "deep" / "home")
    paths.create_folders()
    for folder in (paths.home, paths.run, paths.logs, paths.kafka):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_private_file_is_for_its_owner_only_also_where_it_was_not(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [file]
