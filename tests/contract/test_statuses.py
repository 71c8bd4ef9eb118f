"""The statuses are listed in producer/domain/status.py; the contract and the database must list the same."""

import json
import re

from producer.domain.status import Status
from tests.contract import golden
from tests.project import CONTRACTS, ROOT

ALL = {status.value for status in Status}


def test_schema_lists_every_status() -> None:
    schema = json.loads((CONTRACTS / "order-event.schema.json").read_text())
    assert set(schema["$defs"]["order"]["properties"]["status"]["enum"]) == ALL


def test_schema_lists_an_event_type_for_every_status() -> None:
    """And says, for each type, which status its data must have."""
    schema = json.loads((CONTRACTS / "order-event.schema.json").read_text())
    types = {f"order.{status}": status for status in ALL}
    assert set(schema["properties"]["type"]["enum"]) == {*types, "test.event"}
    stated = {
        rule["if"]["properties"]["type"]["const"]: rule["then"]["properties"]["data"]["properties"]["status"]
        for rule in schema["else"]["allOf"]
    }
    assert stated == {kind: {"const": status} for kind, status in types.items()}


def test_every_status_has_a_golden_message() -> None:
    messages = [json.loads(golden.read(path)) for path in golden.ORDER_PATHS]
    assert {message["type"] for message in messages} == {f"order.{status}" for status in ALL}


def test_newest_migration_with_a_status_check_lists_every_status() -> None:
    migrations = sorted((ROOT / "db" / "versions").glob("*.py"))
    upgrades = [path.read_text().partition("def downgrade")[0] for path in migrations]
    lists = [found for text in upgrades for found in re.findall(r"status IN \(([^)]*)\)", text)]
    assert set(re.findall(r"'(\w+)'", lists[-1])) == ALL
