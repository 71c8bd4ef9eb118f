import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from consumer.fanout.sse import events
from consumer.ring.position import Position
from consumer.topic.events import read_event
from consumer.topic.test_events import new_test_event
from tests.project import CONTRACTS

EXAMPLES = sorted((CONTRACTS / "examples").glob("*.json"))
PLACE = Position("A" * 22, (1,))


def golden(path: Path) -> bytes:
    return path.read_bytes().rstrip(b"\n")


def test_there_are_golden_messages() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_golden_message_is_read(path: Path) -> None:
    message = json.loads(golden(path))
    event = read_event(golden(path), 64 << 10)
    assert (event.id, event.type, event.subject) == (message["id"], message["type"], message["subject"])
    assert event.version == message["data"].get("version", 1)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_unknown_fields_do_not_matter(path: Path) -> None:
    message = json.loads(golden(path)) | {"traceparent": "00-1-2-03"}
    message["data"]["gift"] = True
    assert read_event(json.dumps(message).encode(), 64 << 10).id == message["id"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_data_line_has_the_very_bytes(path: Path) -> None:
    assert events([golden(path)], PLACE).startswith(b"data: " + golden(path) + b"\nid: ")


def test_what_the_dashboard_sends_fits_the_schema() -> None:
    schema = json.loads((CONTRACTS / "order-event.schema.json").read_text())
    jsonschema.validate(new_test_event(datetime.now(UTC)), schema)
