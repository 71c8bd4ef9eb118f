"""The figures on their way from the projector to the browsers: who writes and who reads them, against contracts/."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from consumer.fanout.sse import stats
from consumer.topic.stats import MAX_BYTES, read_figures, read_stats
from projector.stats.message import encode
from tests.project import CONTRACTS
from tests.unit.consumer.fanout.stream_text import blocks
from tests.unit.projector.stats.figures import FIGURES, TIME

SCHEMA = json.loads((CONTRACTS / "order-stats.schema.json").read_text())
GOLDEN = (CONTRACTS / "order-stats.json").read_bytes().rstrip(b"\n")


def test_golden_message_fits_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(GOLDEN), SCHEMA)


def test_projector_writes_the_golden_message() -> None:
    assert encode(FIGURES) == GOLDEN


def test_consumer_reads_the_golden_message() -> None:
    assert read_stats(GOLDEN) == (TIME, GOLDEN)
    figures, message = read_figures(GOLDEN), json.loads(GOLDEN)
    assert (figures.orders, figures.events, figures.revenue) == (4, 6, message["revenue"])
    assert figures.by_status == message["by_status"]
    assert [(each.orders, each.revenue) for each in figures.minutes] == [
        (each["by_status"].get("placed", 0), each["revenue"]) for each in message["minutes"]
    ]
    assert [each.item for each in figures.items] == [each["item"] for each in message["items"]]


def test_unknown_fields_are_ignored() -> None:
    message = json.loads(GOLDEN) | {"news": [1]}
    message["minutes"][0]["news"] = None
    payload = json.dumps(message).encode()
    assert read_stats(payload) == (TIME, payload)


def test_data_line_of_the_stream_holds_the_bytes_from_kafka_and_no_id() -> None:
    assert stats(GOLDEN) == b"event: stats\ndata: " + GOLDEN + b"\n\n"
    (block,) = blocks(stats(GOLDEN))
    assert (block.event, block.data.encode(), block.last_id) == ("stats", GOLDEN, "")


def test_bound_of_the_schema_is_that_of_the_consumer() -> None:
    assert f"at most {MAX_BYTES:,} bytes" in SCHEMA["description"]


@pytest.mark.parametrize("field", SCHEMA["required"])
def test_every_field_is_needed(field: str) -> None:
    message: dict[str, Any] = json.loads(GOLDEN)
    del message[field]
    with pytest.raises(jsonschema.ValidationError, match=field):
        jsonschema.validate(message, SCHEMA)


def test_figures_are_those_of_the_api() -> None:
    """The message has what /stats, /stats/series and /stats/items answer, under the same names."""
    api = json.loads((CONTRACTS / "projector-openapi.json").read_text())["components"]["schemas"]
    message = json.loads(GOLDEN)
    assert set(api["Stats"]["required"]) <= set(message)
    assert set(message["minutes"][0]) == set(api["Minute"]["required"]) - {"amounts"}
    assert set(message["items"][0]) == set(api["Item"]["required"])
    assert datetime.fromisoformat(message["time"]).astimezone(UTC) == TIME
