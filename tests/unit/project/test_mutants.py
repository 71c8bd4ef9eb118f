"""The mutants of tests/mutants fit the tree, and the harness that tries them tells the truth."""

import ast
import difflib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.eventually import eventually
from tests.mutants.mutant import BadPatch, Mutant, read_all
from tests.mutants.run import NotGreen, run
from tests.project import ROOT

MUTANTS = read_all()


def defined(file: Path) -> set[str]:
    """Return the names of a file's tests, those of classes as `Class::test`, and of the classes."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


def is_there(argument: str) -> bool:
    path, _, name = argument.partition("::")
    file = ROOT / path
    return file.is_file() and (not name or name.partition("[")[0] in defined(file))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
class TestPatch:
    def test_it_applies(self, mutant: Mutant) -> None:
        done = subprocess.run(
            ["git", "apply", "--check", str(mutant.file)],
            cwd=ROOT,
            env=os.environ | {"GIT_CEILING_DIRECTORIES": str(ROOT.parent)},
            capture_output=True,
            text=True,
        )
        assert done.stderr == ""
        assert done.returncode == 0

    def test_it_changes_the_product_and_no_test(self, mutant: Mutant) -> None:
        assert mutant.changed
        assert not [path for path in mutant.changed if path.startswith("tests/")]

    def test_its_tests_exist(self, mutant: Mutant) -> None:
        files = [argument for argument in mutant.tests if argument.startswith("tests/")]
        assert files
        assert [argument for argument in files if not is_there(argument)] == []
        if "-k" in mutant.tests:
            words = set(re.findall(r"\w+", mutant.tests[mutant.tests.index("-k") + 1])) - {"and", "or", "not"}
            names = "\n".join(name for path in mutant.paths for name in defined(ROOT / path))
            assert [word for word in words if word not in names] == []


LIMIT, RETURN = "LIMIT = 3", "    return count <= LIMIT"
PRODUCT = f"{LIMIT}\n\n\ndef is_allowed(count: int) -> bool:\n{RETURN}\n"
TESTS = """\
import pytest

from product import is_allowed


@pytest.fixture
def three():
    return 3


@pytest.fixture
def needs_one():
    assert is_allowed(1), "it is needed"


def test_three(three):
    assert is_allowed(three)


def test_nothing():
    assert is_allowed


def test_with_one(needs_one):
    pass


def test_that_fails():
    assert not is_allowed(3)
"""


class Project:
    """A project of two files, with mutants of its own."""

    def __init__(self, folder: Path) -> None:
        self.root, self.patches = folder / "project", folder / "patches"
        self.patches.mkdir()
        self.root.mkdir()
        (self.root / "product.py").write_text(PRODUCT)
        (self.root / "test_product.py").write_text(TESTS)
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)

    def add(self, old: str, new: str, test: str, name: str = "mutant") -> None:
        """Add a mutant that has `new` instead of the line `old`."""
        before = PRODUCT if old in PRODUCT else PRODUCT.replace(LIMIT, old)
        files = before.splitlines(), before.replace(old, new).splitlines()
        diff = "\n".join(difflib.unified_diff(*files, "a/product.py", "b/product.py", lineterm=""))
        (self.patches / f"{name}.patch").write_text(
            f"What: {new}\nTests: test_product.py::{test}\n\ndiff --git a/product.py b/product.py\n{diff}\n"
        )

    def run(self) -> tuple[bool, list[str]]:
        lines: list[str] = []
        caught = run(self.root, read_all(self.patches), lines.append)
        return caught, lines


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # importing ours takes longest
    return Project(tmp_path)


def test_failing_test_has_caught_the_mutant(project: Project) -> None:
    project.add(LIMIT, "LIMIT = 2", "test_three")
    caught, (_, line, summary) = project.run()
    assert re.fullmatch(r"mutant +caught +[0-9.]+ s +test_product::test_three", line)
    assert summary == "1 caught, 0 survived, 0 error"
    assert caught


def test_mutant_of_green_tests_has_survived(project: Project) -> None:
    project.add(LIMIT, "LIMIT = 4", "test_nothing")
    caught, (_, line, summary) = project.run()
    assert re.fullmatch(r"mutant +survived +[0-9.]+ s +LIMIT = 4", line)
    assert summary == "0 caught, 1 survived, 0 error"
    assert not caught


@pytest.mark.parametrize(
    ("old", "new", "test", "told"),
    [
        (LIMIT, "import nothing_of_the_kind", "test_three", "No module named 'nothing_of_the_kind'"),
        (LIMIT, "LIMIT =", "test_three", "SyntaxError"),
        (LIMIT, "LIMIT = 0", "test_with_one", "test_with_one: AssertionError: it is needed"),
        ("LIMIT = 9", "LIMIT = 8", "test_three", "does not apply"),
    ],
    ids=["import", "syntax", "fixture", "patch"],
)
def test_mutant_that_no_test_could_judge_is_an_error(
    project: Project, old: str, new: str, test: str, told: str
) -> None:
    project.add(old, new, test)
    caught, (_, line, summary) = project.run()
    assert re.match(r"mutant +error ", line)
    assert told in line
    assert summary == "0 caught, 0 survived, 1 error"
    assert not caught


def test_each_mistake_is_undone_before_the_next(project: Project) -> None:
    project.add(LIMIT, "LIMIT = 2", "test_three", "a")
    project.add(RETURN, "    return count < LIMIT + 1", "test_three", "b")
    project.add(LIMIT, "LIMIT = 1", "test_three", "c")
    _, lines = project.run()
    assert [line.split()[1] for line in lines[1:-1]] == ["caught", "survived", "caught"]
    assert (project.root / "product.py").read_text() == PRODUCT


def test_nothing_is_tried_with_tests_that_are_red_anyway(project: Project) -> None:
    project.add(LIMIT, "LIMIT = 2", "test_that_fails")
    with pytest.raises(NotGreen, match="test_product::test_that_fails"):
        project.run()


@pytest.mark.parametrize("missing", ["What", "Tests", "diff"])
def test_patch_without_its_headers_is_refused(project: Project, missing: str) -> None:
    project.add(LIMIT, "LIMIT = 2", "test_three")
    file = project.patches / "mutant.patch"
    file.write_text(file.read_text().replace(missing, "Else", 1))
    with pytest.raises(BadPatch, match="must begin with the lines"):
        Mutant.read(file)


WAITING = (
    "import time, pathlib\n\n\ndef test_waits():\n    pathlib.Path('waits').touch()\n    time.sleep(600)\n"
)
RUN = "from tests.mutants import run, mutant; from pathlib import Path; import sys; run.run({}, {}, print)"


@pytest.mark.usefixtures("interruptible")
def test_interrupt_ends_the_tests_and_deletes_the_copy(project: Project, tmp_path: Path) -> None:
    (project.root / "test_waiting.py").write_text(WAITING)
    project.add(LIMIT, "LIMIT = 2", "test_three")
    patch = project.patches / "mutant.patch"
    patch.write_text(patch.read_text().replace("test_product.py::test_three", "test_waiting.py"))
    code = RUN.format(f"Path({str(project.root)!r})", f"mutant.read_all(Path({str(project.patches)!r}))")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    harness = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )

    eventually(lambda: list(temporary.glob("mutants-*/project/waits")), within=60)
    (child,) = psutil.Process(harness.pid).children()
    harness.send_signal(signal.SIGINT)
    harness.wait(30)
    assert not child.is_running()
    assert list(temporary.iterdir()) == []
