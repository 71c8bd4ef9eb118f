"""docker-compose.yml repeats the list of services: it must agree with the local stack's."""

import re

from tests.compose.stack import ONE_SHOTS, SERVICES
from tests.project import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()


def section(name: str) -> str:
    """Return the lines below a top-level key of docker-compose.yml."""
    found = re.search(rf"^{name}:\n((?:\s.*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert found
    return found[1]


def services() -> dict[str, str]:
    """Return the text of each service in docker-compose.yml by its name."""
    _, *parts = re.split(r"^  ([a-z0-9-]+):\n", section("services"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_compose_file_has_the_services_of_the_local_stack() -> None:
    assert set(services()) == {*SERVICES, *ONE_SHOTS}
