"""The list of services stands in services.py; the scripts that cannot import it must agree with it."""

import re

import pytest

from local_stack.paths import PROJECT_ROOT
from local_stack.services import ALL, CDC, GROUPS, MORE_PROJECTORS, NAMES, STOP_POLICIES, group_of

LISTS = {
    "start_project.sh": r"^Services: (.*);",
    "deploy/docker/stack.sh": r"^all='(.*)'$",
}


def test_every_service_has_a_group_and_a_stop_policy() -> None:
    grouped = [name for members in GROUPS.values() for name in members]
    assert grouped == list(STOP_POLICIES)
    assert sorted(grouped) == sorted(ALL)
    assert group_of("kafka-2") == "stores"
    assert group_of("relay") == "apps"


def test_what_is_needed_is_stopped_later() -> None:
    assert list(GROUPS) == ["ensemble", "stores", "cdc", "apps"]
    assert GROUPS["cdc"] == CDC
    assert set(MORE_PROJECTORS) < set(GROUPS["apps"])


@pytest.mark.parametrize("script", LISTS)
def test_shell_scripts_list_the_same_services(script: str) -> None:
    found = re.search(LISTS[script], (PROJECT_ROOT / script).read_text(), re.MULTILINE)
    assert found
    assert tuple(found[1].split())[: len(NAMES)] == NAMES
