import json
import re
from typing import Any

import pytest

from producer.domain.status import TARGETS, TRANSITIONS, InvalidTransition, Status
from tests.project import CONTRACTS, ROOT

FINAL = {Status.DELIVERED, Status.CANCELLED}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema of an order event."""
    schema: dict[str, Any] = json.loads((CONTRACTS / "order-event.schema.json").read_text())
    return schema


def test_every_status_has_an_entry_in_the_transitions() -> None:
    assert list(TRANSITIONS) == list(Status)


def test_only_final_statuses_have_no_transition() -> None:
    assert {status for status, targets in TRANSITIONS.items() if not targets} == FINAL


def test_every_status_is_reached_from_placed_by_transitions() -> None:
    reached = {Status.PLACED}
    while new := {target for status in reached for target in TRANSITIONS[status]} - reached:
        reached |= new
    assert reached == set(Status)


def test_targets_are_the_statuses_that_a_transition_leads_to() -> None:
    assert TARGETS == (Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED, Status.CANCELLED)


def test_invalid_transition_names_both_statuses() -> None:
    error = InvalidTransition(Status.SHIPPED, Status.CANCELLED)
    assert str(error) == "An order that is shipped cannot become cancelled."


def test_event_schema_lists_every_status(schema: dict[str, Any]) -> None:
    assert schema["$defs"]["order"]["properties"]["status"]["enum"] == list(Status)


def test_event_schema_has_a_type_for_every_status(schema: dict[str, Any]) -> None:
    types = [kind for kind in schema["properties"]["type"]["enum"] if kind.startswith("order.")]
    assert types == [f"order.{status}" for status in Status]


def test_event_schema_binds_every_type_to_its_status(schema: dict[str, Any]) -> None:
    bound = {
        rule["if"]["properties"]["type"]["const"]: rule["then"]["properties"]["data"]["properties"]["status"][
            "const"
        ]
        for rule in schema["else"]["allOf"]
    }
    assert bound == {f"order.{status}": status for status in Status}


def test_database_check_lists_every_status() -> None:
    migrations = "\n".join(path.read_text() for path in sorted((ROOT / "db" / "versions").glob("*.py")))
    *_, check = re.findall(r"CHECK \(status IN \(([^)]*)\)\)", migrations)
    assert re.findall(r"'(\w+)'", check) == list(Status)
