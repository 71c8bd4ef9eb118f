"""A mutant: a small mistake as a patch, and the tests that must see it.

A file `NAME.patch` is a header and a unified diff, as `git diff` prints it:

    What: the direct publish with acks=1
    Tests: tests/unit/producer/publishing/test_producer_client.py::test_a_name

    diff --git a/…

`Tests` is what pytest is called with: files, `file.py::name`, `-k name`. `git apply` takes the header for prose.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FOLDER = Path(__file__).parent
HEADER = re.compile(r"(What|Tests): *(\S.*)")
CHANGED = re.compile(r"^diff --git a/\S+ b/(\S+)$", re.MULTILINE)
# Tests that need no process but their own.
FAST = ("tests/unit", "tests/contract", "tests/simulation", "tests/javascript")
# They use nothing of a stack but its PostgreSQL and its Kafka.
STORES_ONLY = ("tests/integration/producer", "tests/integration/consumer")


class BadPatch(Exception):
    """A file is not a patch with both headers."""


@dataclass(frozen=True)
class Mutant:
    """What is wrong in it, what pytest is called with, and the files it changes."""

    name: str
    what: str
    tests: tuple[str, ...]
    changed: tuple[str, ...]
    file: Path

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a patch. Raises BadPatch."""
        head, found, diff = file.read_text().partition("diff --git ")
        headers = {
            match[1]: match[2].strip() for line in head.splitlines() if (match := HEADER.fullmatch(line))
        }
        if not found or set(headers) != {"What", "Tests"}:
            raise BadPatch(f"{file.name} must begin with the lines 'What: …' and 'Tests: …' before its diff.")
        tests = tuple(shlex.split(headers["Tests"]))
        return cls(file.stem, headers["What"], tests, tuple(CHANGED.findall(found + diff)), file)

    @property
    def paths(self) -> list[str]:
        """The files of its tests."""
        return [argument.partition("::")[0] for argument in self.tests if argument.startswith("tests/")]

    @property
    def is_fast(self) -> bool:
        """Whether its tests need neither PostgreSQL nor Kafka."""
        return all(path.startswith(FAST) for path in self.paths)

    @property
    def may_share_stores(self) -> bool:
        """Whether its tests may run on stores that were started without the mistake, and leave them as they were."""
        changes_stores = any(path.startswith(("local_stack/", "db/roles")) for path in self.changed)
        return not changes_stores and all(path.startswith(STORES_ONLY) for path in self.paths)


def read_all(folder: Path = FOLDER) -> list[Mutant]:
    """Return all mutants, those whose tests take longest last. Raises BadPatch."""
    mutants = [Mutant.read(file) for file in sorted(folder.glob("*.patch"))]
    return sorted(mutants, key=lambda mutant: (not mutant.is_fast, not mutant.may_share_stores, mutant.name))
