"""nginx's configuration files as a tree, and its maps as functions, without nginx."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TOKEN = re.compile(r"""\s+|\#[^\n]*|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([{};])|([^\s{};"']+)""")


@dataclass
class Block:
    """The directives of a block, each a tuple of words, and the blocks in it."""

    name: tuple[str, ...] = ()
    directives: list[tuple[str, ...]] = field(default_factory=list)
    blocks: list["Block"] = field(default_factory=list)

    def values(self, name: str) -> list[tuple[str, ...]]:
        """Return what follows each directive of a name."""
        return [words[1:] for words in self.directives if words[0] == name]

    def value(self, name: str) -> str:
        """Return what follows the only directive of a name."""
        (words,) = self.values(name)
        return " ".join(words)

    def block(self, *name: str) -> "Block":
        """Return the only block of a name."""
        (found,) = (block for block in self.walk() if block.name == name)
        return found

    def walk(self) -> Iterator["Block"]:
        """Iterate over this block and all within."""
        yield self
        for block in self.blocks:
            yield from block.walk()


def parse(path: Path) -> Block:
    """Read a file; what it includes stays a directive."""
    open_blocks, words = [Block()], list[str]()
    for match in TOKEN.finditer(path.read_text()):
        if match[3] == "{":
            open_blocks.append(Block(tuple(words)))
        elif match[3] == ";":
            open_blocks[-1].directives.append(tuple(words))
        elif match[3] == "}":
            closed = open_blocks.pop()
            open_blocks[-1].blocks.append(closed)
        else:
            words += [text for text in (match[1], match[2], match[4]) if text is not None]
            continue
        words = []
    (root,) = open_blocks
    return root


def map_value(directives: Sequence[tuple[str, ...]], text: str) -> str:
    """Return what a map makes of a text: the first pattern that matches, or the default."""
    default = ""
    for pattern, value in directives:
        if pattern == "default":
            default = value
        elif re.search(_regex(pattern), text):
            return value
    return default


def _regex(pattern: str) -> str:
    """Turn a pattern of nginx, `~…` or `~*…`, into one of Python's."""
    assert pattern.startswith("~"), pattern
    flags, expression = ("(?i)", pattern[2:]) if pattern.startswith("~*") else ("", pattern[1:])
    expression = expression.replace("$", r"\Z") if expression.endswith("$") else expression
    return flags + re.sub(r"\\Q(.*?)\\E", lambda quoted: re.escape(quoted[1]), expression)
