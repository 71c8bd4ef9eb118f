"""A place in all partitions of a topic, as text: `0:120,1:98`."""

import re

FORM = re.compile(r"[0-9]{1,6}:[0-9]{1,18}(,[0-9]{1,6}:[0-9]{1,18}){0,999}")

Position = dict[int, int]


class UnreadablePosition(ValueError):
    """The text is not a position."""


def parse(text: str) -> Position:
    """Return the offset of each partition. Raises UnreadablePosition."""
    if not FORM.fullmatch(text):
        raise UnreadablePosition("A position is written as 0:120,1:98.")
    pairs = (pair.split(":") for pair in text.split(","))
    return {int(partition): int(offset) for partition, offset in pairs}


def write(position: Position) -> str:
    """Return a position as text."""
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(position.items()))
