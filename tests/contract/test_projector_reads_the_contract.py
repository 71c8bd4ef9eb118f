import json
from decimal import Decimal
from pathlib import Path

import pytest

from projector.readmodel.events import read_event
from tests.contract import golden

each_order_message = pytest.mark.parametrize("path", golden.ORDER_PATHS, ids=lambda path: path.stem)


@each_order_message
def test_golden_message_is_read(path: Path) -> None:
    data = json.loads(golden.read(path))["data"]
    event = read_event(golden.read(path))
    assert event is not None
    assert (str(event.order_id), event.version, event.status) == (
        data["order_id"],
        data["version"],
        data["status"],
    )
    assert (event.item, event.quantity, event.total) == (
        data["item"],
        data["quantity"],
        Decimal(data["total"]),
    )


@each_order_message
def test_unknown_fields_are_ignored(path: Path) -> None:
    message = json.loads(golden.read(path)) | {"traceparent": "00-1-2-03"}
    message["data"]["gift"] = True
    assert read_event(json.dumps(message).encode()) == read_event(golden.read(path))


def test_other_golden_messages_are_ignored() -> None:
    others = set(golden.PATHS) - set(golden.ORDER_PATHS)
    assert others
    assert all(read_event(golden.read(path)) is None for path in others)
