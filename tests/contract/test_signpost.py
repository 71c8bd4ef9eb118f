"""What is written to every partition when the topic is given more of them, and who reads it."""

import json
from datetime import datetime
from typing import Any

import jsonschema
import pytest

from consumer.topic.events import Signpost, UnreadableEvent, read_event, read_signpost
from producer.ledger.sighting import read_sighting
from producer.ledger.sighting import read_signpost as read_epoch
from producer.publishing.growing_topic import signpost
from projector.readmodel.events import read_event as read_for_figures
from tests.contract import golden
from tests.project import CONTRACTS

GOLDEN = golden.read(CONTRACTS / "signposts" / "topic.grown.json")
ENDS = [120, 98, 0, 7, 31, 4]


class Message:
    """A message of the topic, as far as the ledger asks."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def value(self) -> bytes:
        return self._value

    def error(self) -> None:
        return None


def test_golden_signpost_is_what_the_command_writes() -> None:
    message = json.loads(GOLDEN)
    assert signpost(message["id"], 12, ENDS, datetime.fromisoformat(message["time"])) == GOLDEN
    jsonschema.validate(message, json.loads((CONTRACTS / "topic-grown.schema.json").read_text()))


def test_consumer_reads_it_and_shows_nothing() -> None:
    assert read_signpost(GOLDEN) == Signpost(tuple(ENDS))
    with pytest.raises(UnreadableEvent):
        read_event(GOLDEN, 64 << 10)


@pytest.mark.parametrize("path", golden.PATHS, ids=lambda path: path.stem)
def test_no_event_is_taken_for_a_signpost(path: Any) -> None:
    assert read_signpost(golden.read(path)) is None
    assert read_epoch(Message(golden.read(path))) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "order.placed"},
        {"data": {}},
        {"data": None},
        {"data": {"ends": [1, -1]}},
        {"data": {"ends": [True]}},
    ],
)
def test_what_is_none_holds_up_nobody(changes: dict[str, object]) -> None:
    text = json.dumps(json.loads(GOLDEN) | changes | {"note": "topic.grown"})
    assert read_signpost(text.encode()) is None
    assert read_signpost(b'"topic.grown"') is None
    assert read_signpost(None) is None


def test_ledger_begins_an_epoch_and_counts_nothing() -> None:
    message: Any = Message(GOLDEN)
    assert read_epoch(message) == 0x01939B1E6B1C
    assert read_sighting(message) is None


def test_projector_ignores_it() -> None:
    assert read_for_figures(GOLDEN) is None
