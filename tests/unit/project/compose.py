"""docker-compose.yml as Compose reads it where nothing is set, without Docker."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.project import ROOT

# ${NAME}, ${NAME:-default} and ${NAME-default}, the innermost first.
VARIABLE = re.compile(r"\$\{(\w+)(?:(:?)-([^${}]*))?\}")


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no annotations
    """Knows `!override`, with which a second Compose file replaces a list instead of adding to it."""


def _override(loader: Loader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


Loader.add_constructor("!override", _override)


def _value(variable: re.Match[str], known: Mapping[str, str]) -> str:
    """Return a variable's value: its default unless it is set, and where there is a colon, unless it is empty."""
    name, colon, default = variable.groups()
    value = known.get(name)
    if value is None or (colon and not value):
        return default or ""
    return value


def read(file: str = "docker-compose.yml", settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a Compose file's content. settings: the variables that are set."""
    text = (ROOT / file).read_text()
    known = {"COMPOSE_PROJECT_NAME": "order-stream", **(settings or {})}
    while VARIABLE.search(text):
        text = VARIABLE.sub(lambda found: _value(found, known), text)
    content: dict[str, Any] = yaml.load(text, Loader)
    return content
