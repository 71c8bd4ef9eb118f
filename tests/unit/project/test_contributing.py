"""What the documentation names in backticks exists, and its tables of rooms say what may import what.

The convention: a path (it has a slash or a file's ending) is relative to the project's root, or to the folder that
the nearest heading above names. Names that follow a file as in "`a/file.py`: `Name.member`" are defined in that
file. Any other name that looks like code occurs somewhere in the sources.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.project import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs" / "architecture.md",
    ROOT / "docs" / "delivery.md",
    *sorted((ROOT / "docs" / "adr").glob("*.md")),
]
SOURCES = (
    "producer_service",
    "consumer_service",
    "projector_service",
    "kafka_page",
    "contracts",
    "db",
    "local_stack",
    "deploy",
    "bench",
    "tests",
)
ENDINGS = "py|md|js|css|html|json|yml|sh|sql|toml|txt|in|conf|pins|example"
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(rf"\.?\w[\w.-]*(?:/[\w.-]+)*/|\.?\w[\w.-]*(?:/[\w.-]+)+|[\w.-]+\.(?:{ENDINGS})")
SYMBOL = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
FILE_WITH_NAMES = re.compile(r"`([^`\n]+\.py)`:\s`([^`\n]+)`")
# Media types look like paths, and .local/ comes into being at the first start.
NOT_PATHS = ("application/", "text/", ".local/")


@dataclass(frozen=True)
class Line:
    """A line of a document, and the folder that the nearest heading above it names."""

    text: str
    folder: Path

    def resolve(self, path: str) -> Path | None:
        """Return the place that a path names, or None."""
        return next((base / path for base in (ROOT, self.folder) if (base / path).exists()), None)


def lines(document: Path) -> Iterator[Line]:
    """Iterate over the lines outside of code blocks. A reference that wraps stays on its first line."""
    folder, in_block = ROOT, False
    text = re.sub(r"`:\n *`", "`: `", document.read_text())
    for line in text.splitlines():
        in_block ^= line.startswith("```")
        if line.startswith("#"):
            named = [ROOT / path for path in CODE.findall(line) if PATH.fullmatch(path)]
            folder = named[0] if named else ROOT
        if not in_block and not line.startswith("    "):
            yield Line(line, folder)


def paths(line: Line) -> list[str]:
    return [
        found
        for found in CODE.findall(line.text)
        if PATH.fullmatch(found) and not found.startswith(NOT_PATHS)
    ]


def symbols(line: Line) -> list[str]:
    """Return what looks like a name in code: it has a capital, an underscore or a dot."""
    return [
        found
        for found in CODE.findall(line.text)
        if SYMBOL.fullmatch(found) and not PATH.fullmatch(found) and re.search(r"[A-Z_.]", found)
    ]


@cache
def words_of_the_sources() -> frozenset[str]:
    files = [path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.is_file()]
    texts = [
        path.read_text()
        for path in files
        if path.suffix in {".py", ".js", ".json", ".sql", ".html", ".conf"} and "swagger" not in path.parts
    ]
    texts.append((ROOT / ".env.example").read_text())
    return frozenset(re.findall(r"\w+", "\n".join(texts)))


def defined_in(file: Path) -> frozenset[str]:
    """Return the names that a module defines, members of its classes as `Class.member`."""

    def names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from names(node.body, f"{prefix}{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))

    return frozenset(names(ast.parse(file.read_text()).body, ""))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
class TestDocument:
    def test_named_paths_exist(self, document: Path) -> None:
        missing = [path for line in lines(document) for path in paths(line) if line.resolve(path) is None]
        assert missing == []

    def test_names_after_a_file_are_defined_in_it(self, document: Path) -> None:
        named = [
            (line.resolve(file), name)
            for line in lines(document)
            for file, name in FILE_WITH_NAMES.findall(line.text)
        ]
        assert [(file, name) for file, name in named if file is None or name not in defined_in(file)] == []

    def test_named_symbols_occur_in_the_sources(self, document: Path) -> None:
        known = words_of_the_sources()
        named = [name for line in lines(document) for name in symbols(line)]
        assert [name for name in named if not set(name.split(".")) <= known] == []

    def test_links_lead_to_files(self, document: Path) -> None:
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        assert [link for link in links if not (document.parent / link).exists()] == []

    def test_named_make_tasks_exist(self, document: Path) -> None:
        tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named = re.findall(r"(?:`|^    )make ([a-z-]+)", document.read_text(), re.MULTILINE)
        assert set(named) <= tasks


def rooms() -> Iterator[tuple[Path, set[str]]]:
    """Iterate over the rooms in the tables of docs/architecture.md, each with what it may import."""
    for line in lines(ROOT / "docs" / "architecture.md"):
        cells = line.text.strip("| ").split(" | ")
        room = CODE.findall(cells[0])
        if len(cells) == 3 and line.folder != ROOT and len(room) == 1 and room[0].endswith("/"):
            yield line.folder / room[0], set(CODE.findall(cells[2]))


def imported(room: Path) -> set[str]:
    """Return what a room imports of its own service, as the tables name it."""
    package = room.parent
    found = set()
    for file in room.glob("*.py"):
        for module in re.findall(rf"^from {package.name}\.(\w+)", file.read_text(), re.MULTILINE):
            found.add(f"{module}/" if (package / module).is_dir() else f"{module}.py")
    return found - {f"{room.name}/"}


def test_every_room_is_in_a_table() -> None:
    listed = {room for room, _ in rooms()}
    packages = [
        path.parent
        for service in (
            "producer_service/producer",
            "consumer_service/consumer",
            "projector_service/projector",
            "kafka_page/kafka_ui",
        )
        for path in (ROOT / service).glob("*/__init__.py")
    ]
    assert listed == set(packages)


@pytest.mark.parametrize(("room", "allowed"), list(rooms()), ids=lambda each: getattr(each, "name", ""))
def test_room_imports_only_what_its_table_allows(room: Path, allowed: set[str]) -> None:
    assert imported(room) <= allowed
