"""A copy of the project, in which a mistake can be made and undone."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.mutants.mutant import Mutant


class DoesNotApply(Exception):
    """The patch does not fit the files any more."""


class Copy:
    """The files of a working tree in a temporary folder, and a folder for what its tests leave behind."""

    def __init__(self, folder: Path) -> None:
        self.root, self.temporary = folder / "project", folder / "tmp"

    @classmethod
    @contextmanager
    def made(cls, of: Path) -> Iterator[Self]:
        """Copy a working tree, without what git ignores; delete the copy afterwards."""
        folder = Path(tempfile.mkdtemp(prefix="mutants-"))
        try:
            copy = cls(folder)
            copy.temporary.mkdir()
            copy._fill(of)
            yield copy
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fill(self, source: Path) -> None:
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=source, capture_output=True, text=True, check=True).stdout.split(
            "\0"
        )
        self.root.mkdir()
        for name in names:
            if name and (source / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, self.root / name)
        # Tests that ask git which files there are find the copy's.
        self._git("init", "--quiet").check_returncode()
        self._git("add", "--all").check_returncode()

    @contextmanager
    def with_mistake(self, mutant: Mutant) -> Iterator[None]:
        """Make the mistake, and undo it afterwards. Raises DoesNotApply."""
        applied = self._git("apply", str(mutant.file.resolve()))
        if applied.returncode:
            raise DoesNotApply(applied.stderr.strip())
        self._forget_compiled(mutant)
        try:
            yield
        finally:
            self._git("checkout", "--", ".").check_returncode()
            self._git("clean", "--force", "-d", "--quiet").check_returncode()
            self._forget_compiled(mutant)

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True)

    def _forget_compiled(self, mutant: Mutant) -> None:
        """Python compiles anew what has another time or size: two mistakes of one second and size look the same."""
        for name in mutant.changed:
            file = self.root / name
            for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
                compiled.unlink()
