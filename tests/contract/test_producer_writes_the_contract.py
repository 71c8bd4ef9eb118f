import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest

from producer.domain.events import order_event
from producer.domain.models import Order
from tests.project import CONTRACTS

SCHEMA = json.loads((CONTRACTS / "order-event.schema.json").read_text())
EXAMPLES = sorted((CONTRACTS / "examples").glob("order.*.json"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def order(**changes: Any) -> Order:
    moment = datetime(2026, 11, 22, 14, 5, 6, 123456, tzinfo=UTC)
    values: dict[str, Any] = {
        "id": UUID("01939b1e-6b1c-7c3a-8b1e-0123456789ab"),
        "customer_name": "Ada",
        "item": "Basic Tee",
        "description": "",
        "unit_price": Decimal("32.00"),
        "quantity": 2,
        "total": Decimal("64.00"),
        "status": "placed",
        "version": 1,
        "created_at": moment,
        "updated_at": moment,
    }
    return Order(**values | changes)


@pytest.mark.parametrize("status", ["placed", "confirmed", "shipped", "delivered", "cancelled"])
def test_every_event_fits_the_schema(status: str) -> None:
    VALIDATOR.validate(json.loads(order_event(order(status=status)).payload))


def test_an_event_is_one_line_of_utf8_without_escapes() -> None:
    payload = order_event(order(customer_name="Zoë \u2028 李")).payload
    assert "Zoë" in payload
    assert "\n" not in payload
    assert payload.encode().decode() == payload


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_golden_messages_are_what_we_would_write(path: Path) -> None:
    """The same order, given to our code, ends in the same bytes but for the event's own id."""
    golden = path.read_text().rstrip("\n")
    message = json.loads(golden)
    data = message["data"]
    again = order_event(
        order(
            id=UUID(data["order_id"]),
            version=data["version"],
            status=data["status"],
            customer_name=data["customer_name"],
            item=data["item"],
            description=data["description"],
            unit_price=Decimal(data["unit_price"]),
            quantity=data["quantity"],
            total=Decimal(data["total"]),
            created_at=datetime.fromisoformat(data["placed_at"]),
            updated_at=datetime.fromisoformat(message["time"]),
        )
    )
    assert again.payload.replace(str(again.id), message["id"]) == golden


def test_the_envelope_agrees_with_the_outbox_row() -> None:
    event = order_event(order(status="shipped", version=3))
    message = json.loads(event.payload)
    assert (message["id"], message["type"], message["subject"]) == (
        str(event.id),
        event.type,
        str(event.order_id),
    )
    assert message["data"]["version"] == event.version == 3
