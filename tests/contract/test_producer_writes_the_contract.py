import json
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest
import sqlalchemy as sa

from producer.domain.events import order_event
from producer.domain.models import Order
from producer.domain.status import Status
from tests.contract import golden
from tests.project import CONTRACTS

SCHEMA = json.loads((CONTRACTS / "order-event.schema.json").read_text())
PLACED = json.loads(golden.read(CONTRACTS / "examples" / "order.placed.json"))
# What the event calls by another name than the table.
RENAMED = {"order_id": "id", "placed_at": "created_at"}
FROM_JSON: dict[type, Callable[[Any], Any]] = {
    UUID: UUID,
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
}


def order_of(message: dict[str, Any]) -> Order:
    """Return the order that an event describes. A field that older events lack is taken from PLACED."""
    fields = PLACED["data"] | message["data"]
    values = {RENAMED.get(name, name): value for name, value in fields.items()} | {
        "updated_at": message["time"]
    }
    columns = sa.inspect(Order).columns
    return Order(**{name: from_json(columns[name], value) for name, value in values.items()})


def from_json(column: sa.Column[Any], value: Any) -> Any:
    return FROM_JSON.get(column.type.python_type, lambda same: same)(value)


def order(**changes: Any) -> Order:
    """Return the order of the golden message `order.placed`, with other values for some of its fields."""
    return order_of(PLACED | {"data": PLACED["data"] | changes})


def schema_without_unknown_fields() -> dict[str, Any]:
    """Return the schema as a reader would have it who ignores nothing."""
    schema: dict[str, Any] = deepcopy(SCHEMA)
    schema["$defs"]["order"]["additionalProperties"] = False
    return schema


@pytest.mark.parametrize("status", Status)
def test_event_fits_the_schema(status: Status) -> None:
    validator = jsonschema.Draft202012Validator(schema_without_unknown_fields())
    validator.validate(json.loads(order_event(order(status=status.value)).payload))


def test_event_is_one_line_of_utf8_without_escapes() -> None:
    payload = order_event(order(customer_name="Zoë \u2028 李")).payload
    assert "Zoë" in payload
    assert "\n" not in payload
    assert payload.encode().decode() == payload


@pytest.mark.parametrize("path", golden.ORDER_PATHS, ids=lambda path: path.stem)
def test_golden_message_is_written_byte_for_byte(path: Path) -> None:
    """From the same order our code makes the same bytes, except for the event's own id.

    A golden message that is older than a field lacks it; the fields it has must be the same all the same."""
    message = json.loads(golden.read(path))
    event = order_event(order_of(message))
    written = json.loads(event.payload.replace(str(event.id), message["id"]))
    written["data"] = {name: value for name, value in written["data"].items() if name in message["data"]}
    assert json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode() == golden.read(path)


def test_golden_message_of_a_placed_order_has_every_field() -> None:
    event = order_event(order())
    assert event.payload.replace(str(event.id), PLACED["id"]) == json.dumps(
        PLACED, ensure_ascii=False, separators=(",", ":")
    )


def test_envelope_agrees_with_the_outbox_row() -> None:
    event = order_event(order(status="shipped", version=3))
    message = json.loads(event.payload)
    assert (message["id"], message["type"], message["subject"]) == (
        str(event.id),
        event.type,
        str(event.order_id),
    )
    assert message["data"]["version"] == event.version == 3
