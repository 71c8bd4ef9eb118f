"""After `git pull` a start notices what runs from other code (D15)."""

from pathlib import Path

import pytest

from local_stack.lifecycle import revisions
from local_stack.paths import Paths
from local_stack.services import CONSUMER, NAMES, NATIVE_APPS, PRODUCER, RELAY

RUNNING = frozenset(NAMES)


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project, in place of ours."""
    folders = {name: (tmp_path / name,) for name in (revisions.STACK, *NATIVE_APPS)}
    for (folder,) in folders.values():
        (folder / "package").mkdir(parents=True)
        (folder / "package" / "module.py").write_text("x = 1")
    monkeypatch.setattr(revisions, "FOLDERS", folders)
    return tmp_path


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path / ".local")
    paths.create_folders()
    return paths


def test_nothing_is_outdated_right_after_a_start(code: Path, paths: Paths) -> None:
    revisions.record(paths, {*RUNNING, revisions.STACK})
    assert revisions.outdated(paths, RUNNING) == set()


def test_all_is_outdated_when_an_older_version_started_it(code: Path, paths: Paths) -> None:
    assert revisions.outdated(paths, RUNNING) == {revisions.STACK, *NATIVE_APPS}


@pytest.mark.parametrize("name", [CONSUMER, revisions.STACK])
def test_changed_new_and_deleted_files_are_noticed(code: Path, paths: Paths, name: str) -> None:
    revisions.record(paths, {*RUNNING, revisions.STACK})
    module = code / name / "package" / "module.py"
    module.write_text("x = 2")
    assert revisions.outdated(paths, RUNNING) == {name}
    module.write_text("x = 1")
    assert revisions.outdated(paths, RUNNING) == set()
    module.with_name("more.py").touch()
    assert revisions.outdated(paths, RUNNING) == {name}
    revisions.record(paths, {name})
    module.unlink()
    assert revisions.outdated(paths, RUNNING) == {name}


def test_compiled_and_hidden_files_do_not_count(code: Path, paths: Paths) -> None:
    revisions.record(paths, {*RUNNING, revisions.STACK})
    for name in ("__pycache__/module.cpython-313.pyc", ".swap"):
        file = code / PRODUCER / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert revisions.outdated(paths, RUNNING) == set()


def test_what_does_not_run_is_not_outdated(code: Path, paths: Paths) -> None:
    revisions.record(paths, {*RUNNING, revisions.STACK})
    (code / RELAY / "package" / "module.py").unlink()
    assert revisions.outdated(paths, RUNNING - {RELAY}) == set()


def test_migrations_and_packages_belong_to_a_revision() -> None:
    folders = {name: {folder.name for folder in each} for name, each in revisions.FOLDERS.items()}
    assert folders[PRODUCER] == {"producer_service", "db"}
    assert (revisions.FOLDERS[revisions.STACK][0] / "requirements.txt").exists()
