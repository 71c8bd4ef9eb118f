import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from consumer.fanout.sse import events
from consumer.ring.position import Position
from consumer.topic.events import read_event
from consumer.topic.publish_test_event import new_test_event
from tests.contract import golden
from tests.project import CONTRACTS

MAX_BYTES = 64 << 10
POSITION = Position("A" * 22, (1,))

each_golden_message = pytest.mark.parametrize("path", golden.PATHS, ids=lambda path: path.stem)


def test_there_are_golden_messages() -> None:
    assert golden.PATHS


@each_golden_message
def test_golden_message_is_read(path: Path) -> None:
    message = json.loads(golden.read(path))
    event = read_event(golden.read(path), MAX_BYTES)
    assert (event.id, event.type, event.subject) == (message["id"], message["type"], message["subject"])
    assert event.version == message["data"].get("version", 1)


@each_golden_message
def test_unknown_fields_are_ignored(path: Path) -> None:
    message = json.loads(golden.read(path)) | {"traceparent": "00-1-2-03"}
    message["data"]["gift"] = True
    assert read_event(json.dumps(message).encode(), MAX_BYTES).id == message["id"]


@each_golden_message
def test_sse_data_line_holds_the_bytes_from_kafka(path: Path) -> None:
    block = events([golden.read(path)], POSITION)
    assert block.startswith(b"data: " + golden.read(path) + b"\nid: ")


def test_test_event_fits_the_schema() -> None:
    schema = json.loads((CONTRACTS / "order-event.schema.json").read_text())
    jsonschema.validate(new_test_event(datetime.now(UTC)), schema)
