"""Values as PostgreSQL's text of an array: one constant of a statement, where ARRAY[…] is a thousand to be parsed."""

from collections.abc import Iterable, Sequence
from typing import Any


def array(values: Iterable[object]) -> str:
    """Return the values as an array's text. Each is in quotes: without them, a text may be NULL or end the array."""
    texts = [str(value) for value in values]
    joined = '","'.join(texts)
    if "\\" in joined or joined.count('"') != 2 * (len(texts) - 1):
        joined = '","'.join(text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return f'{{"{joined}"}}' if texts else "{}"


def arrays(names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> dict[str, str]:
    """Return the rows turned into one array for each column, by its name, as unnest() takes them."""
    return dict(zip(names, map(array, zip(*rows, strict=True)), strict=True))
