from collections.abc import Callable
from pathlib import Path

import pytest

from local_stack import backup
from local_stack.errors import StackError
from local_stack.paths import Paths


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A stack whose backups are a folder with one file."""
    script = tmp_path / "backup.sh"
    script.write_text('[ -d "$2" ] && [ "$1" = check ] || { mkdir "$3" && echo "${4:-end}" >"$3/restored"; }')
    monkeypatch.setattr(backup, "SCRIPT", script)
    paths = Paths(tmp_path / "home")
    paths.postgres.mkdir(parents=True)
    (paths.postgres / "lost").touch()
    return paths


def contents(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_what_is_restored_is_in_place_before_anything_is_said(paths: Paths, tmp_path: Path) -> None:
    def closed(line: str) -> None:
        raise BrokenPipeError(line)

    with pytest.raises(BrokenPipeError, match="kept "):
        backup.restore(paths, tmp_path, None, closed)
    assert (paths.postgres / "restored").read_text() == "end\n"
    (kept,) = paths.home.glob("postgres.before-*")
    assert contents(kept) == ["lost"]


def test_what_cannot_be_restored_changes_nothing(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.SCRIPT.write_text("exit 1")
    assert backup.restore(paths, tmp_path, None, print) == 1
    assert contents(paths.postgres) == ["lost"]
    assert capsys.readouterr().out == ""


def test_nothing_is_stopped_for_a_backup_that_cannot_be_used(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[object] = []
    monkeypatch.setattr("local_stack.lifecycle.stop.stop_services", lambda *of: stopped.append(of))
    backup.SCRIPT.write_text('[ "$1" != check ] || [ "$3" != 2020-01-01 ]')
    assert backup.restore(paths, tmp_path, "2020-01-01", print) == 1
    assert stopped == []


@pytest.mark.parametrize(("to", "restored"), [(None, "end\n"), ("2026-11-26", "2026-11-26\n")])
def test_time_is_given_to_the_script(paths: Paths, tmp_path: Path, to: str | None, restored: str) -> None:
    said: list[str] = []
    say: Callable[[str], None] = said.append
    assert backup.restore(paths, tmp_path, to, say) == 0
    assert (paths.postgres / "restored").read_text() == restored
    assert len(said) == 1


def test_time_that_is_empty_is_not_the_end_of_the_archive(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="--to needs a time"):
        backup.restore(paths, tmp_path, "", print)
    assert contents(paths.postgres) == ["lost"]
